"""Everything that doctor reads, side by side and once. What is forbidden is kept as an error."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from canarium.view.objects import Raw, items, part, text
from canarium_cli.exits import CliError, NotLoggedIn
from canarium_cli.kubectl import Kubectl
from canarium_cli.reads import MODELS, namespace_of

OPERATOR = "app.kubernetes.io/name=canarium"
DEFINITIONS = (
    "modeldeployments.canarium.dev",
    "modelruntimes.canarium.dev",
    "clustermodelruntimes.canarium.dev",
    "modelgates.canarium.dev",
    "checktemplates.canarium.dev",
    "clusterchecktemplates.canarium.dev",
)
ROUTES = {
    "Gateway": "httproutes.gateway.networking.k8s.io",
    "Istio": "virtualservices.networking.istio.io",
}
#: What was read, or why it could not be.
Read = list[Raw] | CliError
#: Right → whether the user has it, or why that is not known.
Rights = dict[tuple[str, str], bool | CliError]


@dataclass(frozen=True)
class Facts:
    """The cluster as the user sees it; `now` in POSIX seconds."""

    namespace: str
    now: float
    reads: dict[str, Read]
    rights: Rights = field(default_factory=dict)

    def __getitem__(self, name: str) -> list[Raw]:
        """What was read; nothing where it could not be, in which case `fault` is set."""
        objects = self.reads.get(name, [])
        return [] if isinstance(objects, CliError) else objects

    def fault(self, name: str) -> str:
        """Why something could not be read; empty if it was."""
        outcome = self.reads.get(name)
        return outcome.message if isinstance(outcome, CliError) else ""


def read(kubectl: Kubectl, now: float, rights_to_check: tuple[tuple[str, str], ...] = ()) -> Facts:
    """Reads everything. Raises CliError if the cluster does not answer at all."""
    namespace = namespace_of(kubectl)
    kubectl = kubectl.within(namespace)
    kubectl.versions()
    words: dict[str, tuple[str, ...]] = {
        "definitions": (
            "crd",
            *DEFINITIONS,
            *ROUTES.values(),
            "gateways.gateway.networking.k8s.io",
        ),
        "leases": ("leases", "--all-namespaces", "--field-selector=metadata.name=canarium"),
        "deployments": ("deployments", "--all-namespaces", f"--selector={OPERATOR}"),
        "operators": ("pods", "--all-namespaces", f"--selector={OPERATOR}"),
        "namespace": ("namespace", namespace),
        "policies": ("networkpolicies",),
        "models": (MODELS,),
        "pods": ("pods", "--selector=canarium.dev/model"),
        "apiserver": (
            *("endpointslices", "--namespace=default"),
            "--selector=kubernetes.io/service-name=kubernetes",
        ),
        "authentications": ("peerauthentications.security.istio.io",),
    }
    with ThreadPoolExecutor(8) as pool:
        reads = {name: pool.submit(_read, kubectl, *each) for name, each in words.items()}
        rights = {right: pool.submit(_allowed, kubectl, *right) for right in rights_to_check}
        outcomes = {name: each.result() for name, each in reads.items()}
        allowed = {right: each.result() for right, each in rights.items()}
        more = {name: pool.submit(each) for name, each in _second(kubectl, outcomes).items()}
        outcomes |= {name: each.result() for name, each in more.items()}
    return Facts(namespace, now, outcomes, allowed)


def read_installation(kubectl: Kubectl, now: float) -> Facts:
    """Reads the definitions, and the operator of one namespace: few rights suffice.

    Raises CliError if anything cannot be read, since a check that was left out proves nothing.
    """
    namespace = namespace_of(kubectl)
    kubectl = kubectl.within(namespace)
    kubectl.versions()
    words: dict[str, tuple[str, ...]] = {
        "definitions": ("crd", *DEFINITIONS),
        "leases": ("leases", "--field-selector=metadata.name=canarium"),
        "deployments": ("deployments", f"--selector={OPERATOR}"),
        "operators": ("pods", f"--selector={OPERATOR}"),
    }
    with ThreadPoolExecutor(len(words)) as pool:
        reads = {
            name: pool.submit(kubectl.get, *each, may_be_missing=True)
            for name, each in words.items()
        }
        return Facts(namespace, now, {name: each.result() for name, each in reads.items()})


def _second(kubectl: Kubectl, outcomes: dict[str, Read]) -> dict[str, Callable[[], Read]]:
    """What to read depends on the first reads: the operator's namespace, routes, a selector."""
    more: dict[str, Callable[[], Read]] = {}
    deployments = outcomes["deployments"]
    if not isinstance(deployments, CliError) and deployments:
        home = text(part(deployments[0], "metadata"), "namespace")
        more["home policies"] = lambda: _read(kubectl.within(home), "networkpolicies")
        more["home"] = lambda: _read(kubectl, "namespace", home)
        selector = selector_of(deployments)
        if selector:
            words = (f"--selector={selector}",)
            more["selected"] = lambda: _read(kubectl, "namespaces", *words)
    names = {text(part(one, "metadata"), "name") for one in _list(outcomes["definitions"])}
    if "gateways.gateway.networking.k8s.io" in names:
        more["gateways"] = lambda: _read(kubectl, "gateways", "--all-namespaces")
        more["classes"] = lambda: _read(kubectl, "gatewayclasses")
    return more


def arguments(deployment: Raw) -> list[str]:
    """The arguments of the operator's container."""
    template = part(part(deployment, "spec"), "template")
    for container in items(part(template, "spec"), "containers"):
        args = container.get("args")
        if isinstance(args, list) and "run" in args:
            return [str(word) for word in args]
    return []


def selector_of(deployments: list[Raw]) -> str:
    """The label selector of namespaces that the operator was started with; empty for none."""
    for deployment in deployments:
        for word in arguments(deployment):
            if word.startswith("--namespace-selector="):
                return word.partition("=")[2]
    return ""


def _list(outcome: Read) -> list[Raw]:
    return [] if isinstance(outcome, CliError) else outcome


def _read(kubectl: Kubectl, *words: str) -> Read:
    try:
        return kubectl.get(*words, may_be_missing=True)
    except NotLoggedIn:
        raise
    except CliError as error:
        # A kind that the cluster does not have has no objects.
        missing = "resource type" in error.message or "matches for kind" in error.message
        return [] if missing and words[0] != MODELS else error


def _allowed(kubectl: Kubectl, verb: str, resource: str) -> bool | CliError:
    try:
        return kubectl.allowed(verb, resource)
    except NotLoggedIn:
        raise
    except CliError as error:
        return error
