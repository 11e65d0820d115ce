"""What must not be installed together, by real helm and operators: rejected or reported, and no
model is changed."""

from __future__ import annotations

import copy
import itertools
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration import rights
from integration.conftest import ROOT, SHORT_LEASE, Operator
from sandbox import clients
from sandbox.controlplane import ControlPlane
from sandbox.ports import free_ports

rule = pytest.mark.rule
_serial = itertools.count()
CRDS = ROOT / "crds"
LEADS = "canarium.host.app leading"
#: helm finds objects of another release in its way.
IN_THE_WAY = "cannot be imported into the current release"


class Site:
    """A cluster of these tests' own: an API server with the CRDs, and no controllers."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane, self.folder = plane, folder
        self._operators: list[Operator] = []

    def helm(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(clients.find("helm")), "--kubeconfig", str(self.plane.kubeconfig), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def install(self, release: str, namespace: str, *sets: str) -> subprocess.CompletedProcess[str]:
        values = [
            word
            for one in sets
            for word in ((one,) if one.startswith("--") else ("--set-json", one))
        ]
        return self.helm(
            "install", release, str(rights.CHART), "-n", namespace, "--create-namespace", *values
        )

    def begin(self, release: str, namespace: str, *sets: str) -> None:
        """Installs the first release: it takes the CRDs over that an earlier one has left."""
        done = self.install(release, namespace, *sets, "--take-ownership")
        assert done.returncode == 0, done.stderr

    def installed(self) -> set[str]:
        """Namespace and name of all releases."""
        listed = json.loads(self.helm("list", "-A", "-o", "json").stdout)
        return {f"{r['namespace']}/{r['name']}" for r in listed if r["status"] == "deployed"}

    def operator(self, namespace: str, *flags: str) -> Operator:
        """An operator of the release in `namespace`, which has its rights by helm."""
        config = self.folder / f"{namespace}-{len(self._operators)}"
        token = self.plane.kubectl("-n", namespace, "create", "token", "canarium")
        admin = json.loads(self.plane.kubeconfig.read_text())
        admin["users"][0]["user"] = {"token": token.strip()}
        config.write_text(json.dumps(admin))
        made = Operator(
            config, config.with_suffix(".log"), "--lease-namespace", namespace, *SHORT_LEASE, *flags
        )
        self._operators.append(made)
        made.start()
        return made

    def model(self, namespace: str, name: str = "fraud", **spec: Any) -> None:
        body = yaml.safe_load((ROOT / "examples" / "canary.yaml").read_text())
        body["metadata"] = {"name": name, "namespace": namespace}
        body["spec"] |= spec
        self.plane.kubectl("apply", "--validate=false", "-f", "-", stdin=json.dumps(body))

    def status(self, namespace: str, name: str = "fraud") -> dict[str, Any]:
        said = self.plane.kubectl("-n", namespace, "get", "modeldeployment", name, "-o", "json")
        found: dict[str, Any] = json.loads(said)["status"]
        return found

    def children(self, namespace: str) -> dict[str, str]:
        """Children of the models of a namespace → their resourceVersion."""
        kinds = "deployments,services,controllerrevisions"
        found = json.loads(self.plane.kubectl("-n", namespace, "get", kinds, "-o", "json"))
        return {
            f"{i['kind']}/{i['metadata']['name']}": i["metadata"]["resourceVersion"]
            for i in found["items"]
        }

    def clear(self) -> None:
        for operator in self._operators:
            operator.stop()
        for place in self.installed():
            namespace, name = place.split("/")
            self.helm("uninstall", name, "-n", namespace)


def until(true: Callable[[], Any], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"no {what} in {seconds} s"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def cluster_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    plane = ControlPlane(tmp_path_factory.mktemp("releases"), controllers=False)
    try:
        plane.up()
        for namespace in ("risk", "search"):
            plane.kubectl("create", "namespace", namespace)
        yield plane
    finally:
        plane.down()


@pytest.fixture
def site(cluster_of_its_own: ControlPlane, tmp_path: Path) -> Iterator[Site]:
    site = Site(cluster_of_its_own, tmp_path)
    yield site
    site.clear()


@pytest.fixture
def space(site: Site) -> str:
    """A namespace for models."""
    name = f"models-{next(_serial)}"
    site.plane.kubectl("create", "namespace", name)
    # No controller makes it here, and every pod needs it.
    site.plane.kubectl("-n", name, "create", "serviceaccount", "default")
    return name


def test_value_unknown_to_the_chart_installs_nothing(site: Site) -> None:
    done = site.install("canarium", "one", "replica=3")
    assert done.returncode != 0
    assert "additional properties 'replica' not allowed" in done.stderr
    assert site.installed() == set()


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (("a", "one", ()), ("b", "one", ("crds.install=false",)), "canarium-operator"),
        (
            ("a", "one", ('scope.namespaces=["risk"]',)),
            ("b", "one", ('scope.namespaces=["search"]', "crds.install=false")),
            "canarium-lease",
        ),
        (
            ("a", "one", ('scope.namespaces=["risk"]',)),
            ("b", "two", ('scope.namespaces=["search","risk"]', "crds.install=false")),
            "canarium-operator",
        ),
        (("a", "one", ()), ("b", "two", ()), "checktemplates.canarium.dev"),
    ],
    ids=["one namespace", "one namespace, single", "one namespace served", "the CRDs"],
)
def test_second_release_is_refused_by_helm_and_changes_nothing(
    site: Site, first: Any, second: Any, says: str
) -> None:
    release, namespace, sets = first
    site.begin(release, namespace, *sets)
    release, namespace, sets = second
    done = site.install(release, namespace, *sets)
    assert done.returncode != 0
    assert IN_THE_WAY in done.stderr
    assert says in done.stderr
    assert site.installed() == {"one/a"}


def test_operator_of_all_namespaces_waits_for_an_operator_of_some_and_reports_it(
    site: Site, space: str
) -> None:
    """helm cannot see it: neither makes an object that the other has."""
    site.begin("canarium", "wide")
    done = site.install(
        "team", "single", f'scope.namespaces=["{space}"]', "crds.install=false",
        "rbac.aggregate=false", 'serviceAccount.name="canarium"',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    port = free_ports(1)[0]
    health = f"--health=127.0.0.1:{port}"
    wide = site.operator("wide")
    until(lambda: wide.said(LEADS), "leader")
    site.model(space)
    until(lambda: site.children(space), "children")
    before = site.children(space)
    single = site.operator("single", "--namespace", space, health)
    until(lambda: single.said("cannot lead: "), "refusal")
    words = f"already manages {space}"
    assert single.said("another Canarium operator (")
    assert single.said("namespace wide) already manages")
    assert single.said(words)
    with pytest.raises(urllib.error.HTTPError) as unready:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5)
    with unready.value as refused:
        assert words in refused.read().decode()
    assert site.children(space) == before
    assert not single.said(LEADS)
    # Once the first has stopped, the other takes over by itself; and the other way round.
    wide.stop()
    until(lambda: single.said(LEADS), "successor")
    wide.start()
    until(lambda: wide.said("cannot lead: "), "refusal")
    assert wide.said("namespace single) already manages")
    assert wide.said(words)
    assert not wide.said(LEADS)


def test_operators_pod_meets_the_restricted_standard(site: Site) -> None:
    site.begin("canarium", "one")
    label = "pod-security.kubernetes.io/enforce=restricted"
    site.plane.kubectl("label", "namespace", "one", label, "--overwrite")
    said = site.plane.kubectl("-n", "one", "get", "deployment", "canarium", "-o", "json")
    template = json.loads(said)["spec"]["template"]

    def tried() -> str:
        body = {"apiVersion": "v1", "kind": "Pod", **template}
        body["metadata"] = {"name": "operator", "namespace": "one"}
        return str(
            site.plane.kubectl(
                "create", "--dry-run=server", "-f", "-", "-o", "name", stdin=json.dumps(body)
            )
        )

    assert tried().strip() == "pod/operator"
    del template["spec"]["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(subprocess.CalledProcessError) as refused:
        tried()
    assert 'violates PodSecurity "restricted' in refused.value.stderr


@pytest.fixture
def crd(site: Site) -> Iterator[Callable[[Callable[[dict[str, Any]], None]], None]]:
    """Installs the chart, then changes the ModelDeployment's CRD."""
    site.begin("canarium", "one")
    body = yaml.safe_load((CRDS / "modeldeployments.yaml").read_text())
    flags = ("--server-side", "--force-conflicts", "--field-manager=test")

    def change(edit: Callable[[dict[str, Any]], None]) -> None:
        changed = copy.deepcopy(body)
        edit(changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"])
        site.plane.kubectl("replace", "-f", "-", stdin=json.dumps(changed))

    yield change
    site.plane.kubectl("apply", *flags, "-f", str(CRDS / "modeldeployments.yaml"))


def test_newer_operator_over_older_crds_refuses_to_start_and_states_why(
    site: Site, space: str, crd: Any
) -> None:
    def older(properties: dict[str, Any]) -> None:
        del properties["status"]["properties"]["waitingFor"]

    crd(older)
    site.model(space)
    operator = site.operator("one")
    until(lambda: operator.exit_code is not None, "end")
    assert operator.exit_code == 1
    assert operator.said("refusing to start: CustomResourceDefinition modeldeployments")
    assert operator.said("is older than this operator")
    assert operator.said("would drop status.waitingFor")
    assert site.children(space) == {}
    assert site.status(space) == {"observedGeneration": -1}


@rule("R21")
def test_older_operator_over_newer_crds_leaves_unsupported_models_unmanaged(
    site: Site, space: str, crd: Any
) -> None:
    def newer(properties: dict[str, Any]) -> None:
        spec = properties["spec"]["properties"]
        spec["shadow"] = {"type": "object", "properties": {"weight": {"type": "integer"}}}
        properties["status"]["properties"]["shadow"] = spec["shadow"]

    crd(newer)
    site.model(space)
    operator = site.operator("one")
    until(lambda: operator.said("models that use spec.shadow are left unmanaged"), "warning")
    until(lambda: site.status(space).get("phase") == "Starting", "start")
    before = site.children(space)
    assert before
    # A newer operator's memory in the status, and a version that only it can roll out.
    patch = json.dumps({"status": {"shadow": {"weight": 5}}})
    site.plane.kubectl(
        "-n",
        space,
        "patch",
        "modeldeployment",
        "fraud",
        "--subresource=status",
        "--type=merge",
        "-p",
        patch,
    )
    site.model(space, shadow={"weight": 5}, restartToken="2")
    until(lambda: site.status(space)["phase"] == "Invalid", "complaint")
    status = site.status(space)
    assert status["message"].startswith("spec.shadow: unknown field. This operator (")
    conditions = {c["type"]: c for c in status["conditions"]}
    assert conditions["Ready"]["reason"] == conditions["Stalled"]["reason"] == "UnsupportedSpec"
    assert status["shadow"] == {"weight": 5}
    assert site.children(space) == before
    # Without the field it continues.
    site.model(space, name="other")
    until(lambda: len(site.children(space)) > len(before), "children of another model")
