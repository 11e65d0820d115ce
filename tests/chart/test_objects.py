"""What the chart renders, judged by Kubernetes' own schemas and by what it promises."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from canarium_cli.doctor.facts import DEFINITIONS
from chart.rendering import CHART, ROOT, Loader, load, render, rendered_text

NAMES = ("canarium", "canarium-dashboard", "canarium-notifier", "canarium-test")
VERSIONS = [f"1.{minor}" for minor in range(31, 38)]
#: Sets of values that together render every object of the chart.
SETS = {
    "default": (),
    "namespaced": ('scope.namespaces=["risk","search"]',),
    "everything": (
        "replicas=3",
        'podLabels={"a":"b"}',
        'extraEnv=[{"name":"A","value":"b"}]',
        'tolerations=[{"key":"a","operator":"Exists"}]',
        'nodeSelector={"a":"b"}',
        'priorityClassName="high"',
        'imagePullSecrets=[{"name":"a"}]',
        'imageRegistry="registry.acme.test/mirror"',
        'strategy={"type":"RollingUpdate","rollingUpdate":{"maxSurge":0,"maxUnavailable":1}}',
        "revisionHistoryLimit=2",
        'deploymentAnnotations={"a":"b"}',
        'readinessProbe={"failureThreshold":5}',
        'livenessProbe={"terminationGracePeriodSeconds":5}',
        "hostNetwork=true",
        'dnsConfig={"options":[{"name":"ndots","value":"2"}]}',
        'hostAliases=[{"ip":"10.0.0.9","hostnames":["a"]}]',
        'extraVolumes=[{"name":"ca","configMap":{"name":"ca"}}]',
        'extraVolumeMounts=[{"name":"ca","mountPath":"/etc/ca"}]',
        'extraContainers=[{"name":"b","image":"b"}]',
        'extraInitContainers=[{"name":"c","image":"c"}]',
        "openshift=true",
        "networkPolicy.enabled=true",
        'networkPolicy.metricsFrom=[{"podSelector":{}}]',
        "networkPolicy.apiServerPorts=[443]",
        "approvals.enabled=true",
        "routeAuthorization.enabled=true",
        "metrics.dashboards.enabled=true",
        'dashboard={"enabled":true,"access":"impersonation","impersonation":{"groups":["ml"],'
        '"secretName":"proxy"},"actions":true,"tlsSecretName":"tls",'
        '"networkPolicy":{"enabled":true}}',
        'notifications={"enabled":true,"sinks":[{"name":"a","cloudEvents":{"url":"https://a.test"}}]}',
        'extraObjects=[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}]',
    ),
}


@cache
def definitions(version: str) -> tuple[dict[str, Any], Registry[Any]]:
    """The types of a Kubernetes version, closed to unknown fields, and the registry of them."""
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema"
    text = (folder / f"v{version}.0-local-strict" / "_definitions.json").read_text()
    known: dict[str, Any] = json.loads(text)
    resource = Resource(contents=known, specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resources(
        [(known["$id"], resource), ("/api/_definitions.json", resource)]
    )
    return known, registry


@cache
def validator(version: str, api_version: str, kind: str) -> jsonschema.Draft202012Validator:
    known, registry = definitions(version)
    group, _, number = api_version.rpartition("/")
    wanted = {"group": group, "version": number, "kind": kind}
    name = next(
        name
        for name, body in known["$defs"].items()
        if wanted in body.get("x-kubernetes-group-version-kind", ())
    )
    reference = {"$ref": f"{known['$id']}#/$defs/{name}"}
    return jsonschema.Draft202012Validator(reference, registry=registry)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("sets", SETS.values(), ids=SETS)
def test_object_is_valid_without_an_unknown_field(version: str, sets: tuple[str, ...]) -> None:
    for body in render(*sets, kubernetes=f"{version}.0"):
        check = validator(version, body["apiVersion"], body["kind"])
        faults = [f"{e.json_path}: {e.message[:200]}" for e in check.iter_errors(body)]
        assert faults == [], (body["kind"], body["metadata"]["name"])


def test_unknown_field_is_found() -> None:
    body = render()[0]
    check = validator("1.31", body["apiVersion"], body["kind"])
    assert list(check.iter_errors({**body, "speck": {}}))


def test_older_cluster_is_refused_with_a_message() -> None:
    with pytest.raises(AssertionError, match="incompatible with Kubernetes"):
        render(kubernetes="1.30.0")


def kinds(*sets: str) -> set[str]:
    return {body["kind"] for body in render(*sets)}


def test_single_namespaces_need_only_the_clusterrole_for_crds() -> None:
    bodies = render('scope.namespaces=["risk"]', "rbac.aggregate=false")
    # `helm test` creates its own, to get the CRDs by name, and deletes it.
    lasting = [b for b in bodies if "helm.sh/hook" not in b["metadata"].get("annotations", {})]
    wide = [b for b in lasting if b["kind"] == "ClusterRole"]
    assert [b["metadata"]["name"] for b in wide] == ["canarium-crds"]
    for rule in wide[0]["rules"]:
        assert set(rule["verbs"]) <= {"get", "list", "watch"}
        named = bool(rule.get("resourceNames"))
        shared = {
            "clustermodelruntimes",
            "clusterchecktemplates",
            "gateways",
            "gatewayclasses",
        }
        assert named or set(rule["resources"]) <= shared, rule


def test_test_of_the_release_may_get_the_crds_that_doctor_reads() -> None:
    (role,) = (
        body
        for body in render()
        if (body["kind"], body["metadata"]["name"]) == ("ClusterRole", "canarium-test")
    )
    assert role["rules"][0]["resourceNames"] == list(DEFINITIONS)


def test_operator_can_never_write_a_spec_read_a_secret_or_grant_a_right() -> None:
    role = next(b for b in render() if b["metadata"]["name"] == "canarium-operator")
    for rule in role["rules"]:
        writes = set(rule["verbs"]) & {"create", "update", "patch", "delete"}
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
        assert "secrets" not in rule["resources"] or not writes
        assert "rbac.authorization.k8s.io" not in rule["apiGroups"]
        if writes:
            assert "modeldeployments" not in rule["resources"]


def test_every_object_is_labelled_with_its_release_outside_selectors() -> None:
    for body in render("metrics.dashboards.enabled=true"):
        if body["kind"] != "CustomResourceDefinition":
            assert body["metadata"]["labels"]["app.kubernetes.io/instance"] == "canarium", body
            assert body["metadata"]["labels"]["helm.sh/chart"].startswith("canarium-")


def test_bump_of_the_chart_alone_does_not_restart_the_operator() -> None:
    pods = next(b for b in render() if b["kind"] == "Deployment")["spec"]["template"]
    assert "helm.sh/chart" not in json.dumps(pods)


def repeated(node: yaml.Node) -> set[str]:
    """Keys that a mapping below `node` has twice."""
    if isinstance(node, yaml.SequenceNode):
        return {key for child in node.value for key in repeated(child)}
    if not isinstance(node, yaml.MappingNode):
        return set()
    keys = [key.value for key, _ in node.value]
    below = {key for _, child in node.value for key in repeated(child)}
    return {key for key in keys if keys.count(key) > 1} | below


OVERLAPPING = json.dumps({"team": "a", "app.kubernetes.io/name": "mine", "helm.sh/chart": "mine"})


def test_no_object_has_a_label_twice_where_labels_of_the_values_overlap() -> None:
    keys = ("commonLabels", "commonAnnotations", "podLabels", "deploymentLabels")
    overlapping = [f"{key}={OVERLAPPING}" for key in keys]
    monitors = [f"metrics.{kind}.enabled=true" for kind in ("serviceMonitor", "prometheusRule")]
    more = [f"metrics.{kind}.labels={OVERLAPPING}" for kind in ("serviceMonitor", "dashboards")]
    text = rendered_text(*SETS["everything"], *overlapping, *monitors, *more)
    assert {key for node in yaml.compose_all(text, Loader) for key in repeated(node)} == set()
    for body in load(text):
        labels = body["metadata"].get("labels", {})
        assert labels.get("app.kubernetes.io/name") in (None, *NAMES), labels


def test_common_metadata_is_on_every_object_and_reaches_no_model() -> None:
    """Nothing that the operator is started with changes, so no pod of a model does."""
    common = ('commonLabels={"team":"ml"}', 'commonAnnotations={"cost":"7"}')
    before, after = render(*SETS["everything"]), render(*SETS["everything"], *common)
    for plain, body in zip(before, after, strict=True):
        meta = body["metadata"]
        if body["kind"] == "CustomResourceDefinition" or meta["name"] == "a":
            assert body == plain
            continue
        assert meta["labels"]["team"] == "ml"
        assert meta["annotations"]["cost"] == "7"
        if body["kind"] == "Deployment":
            template = body["spec"]["template"]
            assert template["metadata"]["labels"].pop("team") == "ml"
            assert body["spec"] == plain["spec"]
        else:
            assert {**body, "metadata": {}} == {**plain, "metadata": {}}


def test_crds_of_the_chart_are_those_for_kubectl() -> None:
    from generators import crds

    plain = {path.name for path in crds.files(Path()) if path.parent.name == "crds"}
    rendered = {
        f"{b['metadata']['name'].split('.')[0]}.yaml"
        for b in render()
        if b["kind"] == "CustomResourceDefinition"
    }
    assert plain == rendered


def test_every_object_and_subject_is_in_the_namespace_of_the_values() -> None:
    sets = [*SETS["everything"], "metrics.serviceMonitor.enabled=true"]
    released = render(*sets)
    moved = render(*sets, 'namespaceOverride="platform"')
    assert len(released) == len(moved)
    for before, after in zip(released, moved, strict=True):
        meta = after["metadata"]
        # Names of what is not in a namespace have that of the release.
        assert "ml-" not in meta["name"]
        assert before["metadata"].get("namespace") in (None, "ml")
        if "namespace" in before["metadata"]:
            assert meta["namespace"] == "platform", meta
        for subject in after.get("subjects", ()):
            assert subject.get("namespace", "platform") == "platform", subject
    assert "--lease-namespace=ml" not in json.dumps(moved)


def test_artifact_hub_knows_every_kind_and_an_example_of_a_model() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    notes = chart["annotations"]
    listed = {
        (one["kind"], one["name"], one["version"])
        for one in yaml.safe_load(notes["artifacthub.io/crds"])
    }
    definitions = [body for body in render() if body["kind"] == "CustomResourceDefinition"]
    assert listed == {
        (d["spec"]["names"]["kind"], d["metadata"]["name"], version["name"])
        for d in definitions
        for version in d["spec"]["versions"]
    }
    [example] = yaml.safe_load(notes["artifacthub.io/crdsExamples"])
    assert example == yaml.safe_load((ROOT / "examples" / "models" / "fraud-v1.yaml").read_text())
    assert (ROOT / chart["icon"].partition("/main/")[2]).is_file()
    beta = "-" in chart["version"] or chart["version"].startswith("0.")
    assert notes["artifacthub.io/prerelease"] == str(beta).lower()
