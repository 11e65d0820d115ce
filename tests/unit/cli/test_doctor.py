"""Doctor: what each check finds in the facts of a cluster, and the exit code."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from canarium.api import crd
from canarium.kube.shards import Leader, holder_of
from canarium_cli.doctor.examination import findings, installation_findings
from canarium_cli.doctor.facts import Facts, Read
from canarium_cli.doctor.finding import Finding, Level
from canarium_cli.doctor.rights import NEEDED
from canarium_cli.exits import CliError, Exit
from cli.standin import FAULTS, VERSIONS, Standin

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC).timestamp()
OPERATOR = {"app.kubernetes.io/name": "canarium", "app.kubernetes.io/instance": "canarium"}


def deployment(*args: str, ready: int = 1, version: str = "0.1.0") -> dict[str, Any]:
    return {
        "metadata": {
            "name": "canarium",
            "namespace": "canarium",
            "labels": {**OPERATOR, "app.kubernetes.io/version": version},
        },
        "spec": {
            "replicas": 1,
            "template": {"spec": {"containers": [{"name": "operator", "args": ["run", *args]}]}},
        },
        "status": {"readyReplicas": ready},
    }


def lease(seconds: int = 3, namespace: str = "canarium", scope: str = "*") -> dict[str, Any]:
    renewed = datetime.fromtimestamp(NOW - seconds, UTC).isoformat().replace("+00:00", "Z")
    return {
        "metadata": {"namespace": namespace, "annotations": {"canarium.dev/scope": scope}},
        "spec": {"holderIdentity": "pod-1", "leaseDurationSeconds": 15, "renewTime": renewed},
    }


def pod(namespace: str, labels: dict[str, str], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "server", "ports": [{"containerPort": 8080}]}], **spec},
        "status": {"podIP": "10.1.0.7"},
    }


def namespace(name: str, **meta: Any) -> dict[str, Any]:
    labels = {"kubernetes.io/metadata.name": name, **meta.pop("labels", {})}
    return {"metadata": {"name": name, "labels": labels, **meta}}


def policy(spec: dict[str, Any], where: str = "risk") -> dict[str, Any]:
    return {"metadata": {"name": "deny", "namespace": where}, "spec": spec}


def facts(**reads: Read) -> Facts:
    """A cluster in which nothing is wrong, but for `reads`."""
    sound: dict[str, Read] = {
        "definitions": crd.kinds(),
        "leases": [lease()],
        "deployments": [deployment()],
        "operators": [pod("canarium", OPERATOR)],
        "namespace": [namespace("risk")],
        "home": [namespace("canarium")],
        "home policies": [],
        "policies": [],
        "models": [],
        "pods": [pod("risk", {"canarium.dev/model": "fraud"})],
        "apiserver": [{"ports": [{"port": 6443}], "endpoints": [{"addresses": ["10.0.0.1"]}]}],
        "authentications": [],
    }
    rights = dict.fromkeys(NEEDED, True)
    named = {name.replace("_", " "): read for name, read in reads.items()}
    return Facts("risk", NOW, {**sound, **named}, dict(rights))


def found(given: Facts, level: Level) -> list[str]:
    return [f"{one.subject}: {one.message}" for one in findings(given) if one.level is level]


def one_problem(given: Facts) -> str:
    (only,) = found(given, Level.PROBLEM)
    return only


def test_sound_cluster_has_neither_problem_nor_warning() -> None:
    sound = facts()
    assert found(sound, Level.PROBLEM) == found(sound, Level.WARNING) == []
    assert {one.subject for one in findings(sound)} >= {"CRDs", "operator", "leader", "scope"}


def test_every_finding_that_is_not_ok_has_advice() -> None:
    forbidden = CliError("forbidden: User jane cannot list it.", Exit.UNREACHABLE)
    broken = facts(
        definitions=[], leases=[lease(900)], deployments=[deployment(ready=0)], policies=forbidden
    )
    worse = [one for one in findings(broken) if one.level is not Level.OK]
    assert worse
    assert all(one.advice and one.message[0].isupper() for one in worse), worse


def test_missing_definitions_are_a_problem() -> None:
    assert "Not installed: modelruntimes.canarium.dev" in one_problem(
        facts(definitions=crd.kinds()[:1])
    )


def test_older_and_newer_definitions_are_distinguished() -> None:
    older, newer = crd.kinds(), crd.kinds()
    status = older[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    del status["properties"]["message"]
    assert "they lack status.message" in one_problem(facts(definitions=older))
    spec = newer[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["shadow"] = {"type": "string"}
    given = facts(definitions=newer)
    assert found(given, Level.PROBLEM) == []
    assert "it does not know spec.shadow" in found(given, Level.WARNING)[0]


@pytest.mark.parametrize(
    ("leases", "said"),
    [([], "No operator has created its Lease"), ([lease(900)], "was last renewed 900 s ago")],
)
def test_leader_that_is_missing_or_silent_is_a_problem(leases: Any, said: str) -> None:
    assert said in one_problem(facts(leases=leases))


def shared(**records: str) -> dict[str, Any]:
    """The Lease of four shards, with records as the operator writes them."""
    body = lease()
    body["spec"]["holderIdentity"] = holder_of(4)
    leaders = [
        Leader(name.replace("_", "-"), frozenset(map(int, shards.split())), 3, 15.0)
        for name, shards in records.items()
    ]
    body["metadata"]["annotations"] |= {one.key: one.text() for one in leaders}
    return body


def test_leaders_of_shards_are_listed_with_their_shards() -> None:
    given = facts(leases=[shared(pod_1="0 3", pod_2="1 2", pod_3="")])
    assert [one.message for one in findings(given) if one.subject == "leader"] == [
        "pod-1 leads shards 0, 3 of 4 (namespace canarium)",
        "pod-2 leads shards 1, 2 of 4 (namespace canarium)",
        "pod-3 leads none of 4 shards (namespace canarium)",
    ]


def test_shards_without_a_leader_are_a_problem() -> None:
    given = facts(leases=[shared(pod_1="0 3")])
    assert "No operator leads shards 1, 2 of 4 (namespace canarium)" in one_problem(given)


def test_operator_without_ready_pods_is_a_problem_with_the_reason() -> None:
    waiting = pod("canarium", OPERATOR)
    waiting["status"]["containerStatuses"] = [
        {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    ]
    given = facts(deployments=[deployment(ready=0)], operators=[waiting])
    assert "0 of 1 pods ready: pod/p waits: CrashLoopBackOff" in one_problem(given)


def test_operator_that_is_scaled_to_zero_is_a_problem_with_the_command_that_starts_it() -> None:
    stopped = deployment(ready=0)
    stopped["spec"]["replicas"] = 0
    (said,) = (one for one in findings(facts(deployments=[stopped])) if one.subject == "operator")
    assert said.level is Level.PROBLEM
    assert "is scaled to zero, so no operator runs" in said.message
    assert "-n canarium scale deployment/canarium --replicas=" in said.advice


def test_namespace_outside_the_scope_is_a_problem() -> None:
    """G10: a model there has no status at all."""
    assert "No operator manages namespace risk" in one_problem(facts(leases=[lease(scope="ads,x")]))
    assert found(facts(leases=[lease(scope="ads,risk")]), Level.PROBLEM) == []


def test_namespace_selector_decides_by_the_labels_of_the_namespace() -> None:
    selected = [deployment("--namespace-selector=team=ml")]
    outside = facts(deployments=selected, selected=[namespace("ads")])
    assert "No operator manages namespace risk" in one_problem(outside)
    inside = facts(deployments=selected, selected=[namespace("risk")])
    assert found(inside, Level.PROBLEM) == []


def test_two_operators_of_one_namespace_are_a_problem() -> None:
    two = facts(leases=[lease(), lease(namespace="other", scope="risk")])
    assert "Several operators manage namespace risk" in one_problem(two)


DENY = policy({"podSelector": {}, "policyTypes": ["Ingress"]})
SAME_NAMESPACE = policy({"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]})
OTHER_PORT = policy({"podSelector": {}, "ingress": [{"ports": [{"port": 9090}]}]})
OF_THE_CHART = policy(
    {
        "podSelector": {"matchExpressions": [{"key": "canarium.dev/model", "operator": "Exists"}]},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [
                    {
                        "namespaceSelector": {
                            "matchLabels": {"kubernetes.io/metadata.name": "canarium"}
                        },
                        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "canarium"}},
                    }
                ]
            }
        ],
    }
)
PORT_RANGE = policy({"podSelector": {}, "ingress": [{"ports": [{"port": 8000, "endPort": 9000}]}]})
BY_ADDRESS = policy(
    {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}]}
)
EXCEPT = policy(
    {
        "podSelector": {},
        "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}],
    }
)
OF_OTHERS = policy({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]})
EGRESS_ONLY = policy({"podSelector": {}, "policyTypes": ["Egress"]})


@pytest.mark.parametrize("denying", [DENY, SAME_NAMESPACE, OTHER_PORT, EXCEPT])
def test_policy_that_denies_the_operator_is_a_problem(denying: dict[str, Any]) -> None:
    assert "NetworkPolicy/deny denies the operator" in one_problem(facts(policies=[denying]))


@pytest.mark.parametrize(
    "policies",
    [
        [DENY, OF_THE_CHART],
        [PORT_RANGE],
        [BY_ADDRESS],
        [OF_OTHERS],
        [EGRESS_ONLY],
        [policy({"podSelector": {}, "ingress": [{}]})],
    ],
)
def test_policy_that_admits_the_operator_is_none(policies: Any) -> None:
    assert found(facts(policies=policies), Level.PROBLEM) == []


def test_operator_that_may_not_reach_the_api_server_is_a_problem() -> None:
    """G4: the chart's policy with its usual ports, and an API server that listens on 8443."""
    ports = [{"port": 443}, {"port": 6443}]
    spec = {
        "podSelector": {"matchLabels": OPERATOR},
        "policyTypes": ["Egress"],
        "egress": [{"ports": ports}, {"to": [{"namespaceSelector": {}}]}],
    }
    own = [policy(spec, "canarium")]
    assert found(facts(home_policies=own), Level.PROBLEM) == []
    minikube = [{"ports": [{"port": 8443}], "endpoints": [{"addresses": ["192.168.49.2"]}]}]
    said = one_problem(facts(home_policies=own, apiserver=minikube))
    assert "does not admit the operator to the API server's port 8443" in said


def test_mesh_is_a_warning_and_strict_mutual_tls_a_problem() -> None:
    meshed = [namespace("risk", labels={"istio-injection": "enabled"})]
    (said,) = found(facts(namespace=meshed), Level.WARNING)
    assert "Istio mesh" in said
    strict = {"metadata": {"name": "default"}, "spec": {"mtls": {"mode": "STRICT"}}}
    assert "requires mutual TLS" in one_problem(facts(namespace=meshed, authentications=[strict]))
    strict["spec"]["portLevelMtls"] = {"8080": {"mode": "PERMISSIVE"}}
    assert found(facts(namespace=meshed, authentications=[strict]), Level.PROBLEM) == []
    linkerd = [namespace("risk", annotations={"linkerd.io/inject": "enabled"})]
    assert "Linkerd" in found(facts(namespace=linkerd), Level.WARNING)[0]


def test_pods_that_the_operator_cannot_reach_are_a_problem() -> None:
    model = {
        "metadata": {"name": "fraud"},
        "status": {"waitingFor": {"reason": "PodsUnreachable"}},
    }
    assert "cannot reach the pods of modeldeployment/fraud" in one_problem(facts(models=[model]))


def test_routes_need_their_api_their_gateway_and_its_features() -> None:
    gateway = {"parentRefs": [{"name": "public", "namespace": "infra"}], "mirror": {"percent": 10}}
    model = {
        "metadata": {"name": "fraud", "namespace": "risk"},
        "spec": {"traffic": {"router": "Gateway", "gateway": gateway}},
    }
    assert "no httproutes.gateway" in one_problem(facts(models=[model]))
    api = {"metadata": {"name": "httproutes.gateway.networking.k8s.io"}}
    installed: Any = [*crd.kinds(), api]
    missing = facts(models=[model], definitions=installed, gateways=[], classes=[])
    assert "Gateway/public in namespace infra, which is missing" in one_problem(missing)
    there: Any = [
        {"metadata": {"name": "public", "namespace": "infra"}, "spec": {"gatewayClassName": "c"}}
    ]
    features = [{"name": "HTTPRoute"}]
    classes: Any = [{"metadata": {"name": "c"}, "status": {"supportedFeatures": features}}]
    given = facts(models=[model], definitions=installed, gateways=there, classes=classes)
    assert "mirrors requests" in found(given, Level.WARNING)[0]
    features.append({"name": "HTTPRouteRequestMirror"})
    assert found(given, Level.WARNING) == []


def test_image_that_cannot_be_pulled_is_a_problem() -> None:
    waiting = pod("risk", {"canarium.dev/model": "fraud"})
    state = {"waiting": {"reason": "ImagePullBackOff"}}
    waiting["status"]["containerStatuses"] = [{"image": "model:9", "state": state}]
    assert "Image model:9 cannot be pulled" in one_problem(facts(pods=[waiting]))


def test_missing_right_names_the_verbs_that_need_it() -> None:
    given = facts()
    given.rights["patch", "modeldeployments.canarium.dev"] = False
    (said,) = [one for one in findings(given) if one.level is Level.WARNING]
    assert said.message == "You may not patch modeldeployments.canarium.dev in namespace risk"
    assert "promote" in said.advice


def test_exit_code_is_one_for_a_problem_and_the_findings_are_json(kubectl: Standin) -> None:
    kubectl.answers("version", out=VERSIONS)
    kubectl.answers("get")
    kubectl.answers("auth")
    done = kubectl.run("doctor", "-n", "risk", "-o", "json")
    assert done.code == 1
    answer = json.loads(done.out)
    assert answer["ready"] is False
    assert {"subject": "CRDs", "level": "problem"}.items() <= answer["findings"][0].items()
    assert not [call for call in kubectl.calls if "secrets" in call]


def test_installation_is_checked_without_a_namespace_of_models_and_rights_of_a_person() -> None:
    given = facts(leases=[lease(scope="ads")], policies=[DENY])
    given.rights.clear()
    assert one_level(installation_findings(given)) == {"ok"}
    assert len(found(given, Level.PROBLEM)) > 1
    broken = facts(deployments=[deployment(ready=0)], leases=[lease(900)], definitions=[])
    problems = [x.subject for x in installation_findings(broken) if x.level is Level.PROBLEM]
    assert problems == ["CRDs", "operator", "leader"]


def one_level(all_findings: list[Finding]) -> set[str]:
    return {str(one.level) for one in all_findings}


def test_installation_asks_for_nothing_outside_its_namespace_but_the_definitions(
    kubectl: Standin,
) -> None:
    kubectl.answers("version", out=VERSIONS)
    kubectl.answers("get", "crd", out={"kind": "List", "items": crd.kinds()})
    kubectl.answers("get", "deployments", out=deployment())
    kubectl.answers("get")
    done = kubectl.run("doctor", "--installation", "-n", "canarium")
    assert done.code == 1
    assert "No operator has created its Lease" in done.out
    assert all("--namespace=canarium" in call for call in kubectl.calls)
    reads = {call[2] for call in kubectl.calls if call[1] == "get"}
    assert reads == {"crd", "leases", "deployments", "pods"}
    assert not [call for call in kubectl.calls if {"--all-namespaces", "can-i"} & {*call}]


def test_installation_that_may_not_be_read_is_an_error_and_no_finding(kubectl: Standin) -> None:
    words, code, advice = FAULTS["forbidden"]
    kubectl.answers("version", out=VERSIONS)
    kubectl.fails(words, "get", "leases")
    kubectl.answers("get")
    done = kubectl.run("doctor", "--installation", "-n", "canarium")
    assert (done.code, done.out) == (code, "")
    assert advice in done.err


def test_wait_ends_with_a_timeout_while_a_problem_is_left(kubectl: Standin) -> None:
    kubectl.answers("version", out=VERSIONS)
    kubectl.answers("get")
    kubectl.answers("auth")
    done = kubectl.run("doctor", "-n", "risk", "--wait", "--timeout", "0s")
    assert done.code == 3
    assert "problem" in done.out


@pytest.mark.parametrize("fault", ["expired credentials", "unreachable"])
def test_cluster_that_does_not_answer_is_an_error_and_no_finding(
    kubectl: Standin, fault: str
) -> None:
    words, code, _ = FAULTS[fault]
    kubectl.fails(words, "version")
    done = kubectl.run("doctor", "-n", "risk")
    assert (done.code, done.out) == (code, "")
