"""The objects of a model, read by name and by label: what one model costs does not depend on how
many there are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from canarium import KIND, VERSION
from canarium.view.objects import MODEL_LABEL, Objects, Raw, part, text
from canarium.view.unknown import unknown_parts
from canarium_cli.exits import CliError, Exit, Forbidden, not_found
from canarium_cli.kubectl import Kubectl
from canarium_cli.output.terminal import echo

#: With the API group, so that no other CRD's short name is taken for it.
MODELS = "modeldeployments.canarium.dev"
_GROUP = "/apis/canarium.dev/v1alpha1"
_WORKLOADS = ("deployments.apps", "pods", "horizontalpodautoscalers.autoscaling", "services")
RECORDS = "controllerrevisions.apps"
PODS = "pods"
#: Kinds of routes, with their groups.
ROUTES = {
    "HTTPRoute": "httproutes.gateway.networking.k8s.io",
    "GRPCRoute": "grpcroutes.gateway.networking.k8s.io",
    "VirtualService": "virtualservices.networking.istio.io",
}


#: Where Kubernetes mounts the namespace of a pod.
_MOUNTED = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


#: What `Skew` has named.
_warned: set[str] = set()


def namespace_of(kubectl: Kubectl) -> str:
    """The namespace of this run: the option, that of the context, or, in a pod without a
    kubeconfig, that of the pod."""
    if kubectl.namespace:
        return kubectl.namespace
    try:
        words = ("config", "view", "--minify", "--output=jsonpath={..namespace}")
        return kubectl.run(*words).strip() or "default"
    except CliError:
        # As client-go does (rest.InClusterConfig).
        own = os.environ.get("POD_NAMESPACE", "")
        return own or (_MOUNTED.read_text().strip() if _MOUNTED.exists() else "") or "default"


def model(kubectl: Kubectl, name: str) -> Raw:
    """The ModelDeployment. Raises CliError when there is none, or it cannot be read."""
    listed = kubectl.get(MODELS, name)
    warn_of_skew(listed)
    return listed[0]


def models(
    kubectl: Kubectl, names: tuple[str, ...], selector: str | None, everywhere: bool = False
) -> list[Raw]:
    """The ModelDeployments of these names, or all that match the label selector.

    Raises CliError when a name does not exist, or none matches the selector.
    """
    if names:
        listed = kubectl.get(MODELS, *names)
        warn_of_skew(listed)
        return listed
    words = [f"--selector={selector}"] if selector else []
    listed = kubectl.get(MODELS, *words, *(["--all-namespaces"] if everywhere else []))
    if selector and not listed:
        raise not_found(f"No ModelDeployment has the labels {selector}.")
    return listed


def read_all(kubectl: Kubectl, selector: str | None, everywhere: bool) -> Iterator[Raw]:
    """Yields all ModelDeployments that match the selector, of the namespace or of all of them,
    while they arrive. Raises CliError."""
    inside = "" if everywhere else f"/namespaces/{namespace_of(kubectl)}"
    query = f"?labelSelector={quote(selector)}" if selector else ""
    skew = Skew()
    for one in kubectl.listed(f"{_GROUP}{inside}/modeldeployments{query}"):
        skew.note(one)
        yield one
    skew.warn()


class Skew:
    """What a newer operator has written and this client does not know."""

    def __init__(self) -> None:
        self._unknown: set[str] = set()

    def note(self, model: Raw) -> None:
        """Notes what is unknown of a model."""
        self._unknown.update(unknown_parts(model))

    def warn(self) -> None:
        """Names on stderr what was noted, once in a run of the program."""
        new = sorted(self._unknown - _warned)
        if new:
            _warned.update(new)
            echo(
                f"Warning: this client ({VERSION}) does not know {', '.join(new)}. The operator is "
                "newer: use the client of its version (`kubectl modeldeploy version`).",
                err=True,
            )


def warn_of_skew(listed: Iterable[Raw]) -> None:
    """Names on stderr what a newer operator has written to models and this client does not know,
    once."""
    skew = Skew()
    for one in listed:
        if one.get("kind") == KIND:
            skew.note(one)
    skew.warn()


def objects(kubectl: Kubectl, name: str, *, events: bool = False, partial: bool = False) -> Objects:
    """The model and everything that is shown of it, read at the same time.

    Raises CliError as `model` does, and for kinds that the user may not list. Where `partial`, a
    line on stderr names those instead.
    """
    label = f"--selector={MODEL_LABEL}={name}"
    read = _readable if partial else _all
    with ThreadPoolExecutor() as pool:
        parent = pool.submit(model, kubectl, name)
        children = pool.submit(read, kubectl, _WORKLOADS, label)
        records = pool.submit(read, kubectl, (RECORDS,), label)
        event_list = pool.submit(read, kubectl, ("events",), _about(name)) if events else None
        # The model first: its error is the most useful one.
        parent_object = parent.result()
        reads = [
            children.result(),
            records.result(),
            *([event_list.result()] if event_list else []),
        ]
    not_shown([kind for one in reads for kind in one.forbidden])
    return Objects.of(parent_object, [raw for one in reads for raw in one.objects])


def objects_of(kubectl: Kubectl, name: str, kind: str) -> Objects:
    """The model and its objects of one kind, read at the same time. Raises CliError."""
    with ThreadPoolExecutor() as pool:
        parent = pool.submit(model, kubectl, name)
        children = pool.submit(_all, kubectl, (kind,), f"--selector={MODEL_LABEL}={name}")
        return Objects.of(parent.result(), children.result().objects)


def not_shown(kinds: Sequence[str]) -> None:
    """Names on stderr the kinds that the user may not list."""
    if kinds:
        echo(f"Not shown, since you may not list them: {', '.join(kinds)}.", err=True)


@dataclass(frozen=True, slots=True)
class _Read:
    """Objects of several kinds, and the kinds that the user may not list."""

    objects: list[Raw]
    forbidden: tuple[str, ...] = ()


def _all(kubectl: Kubectl, kinds: tuple[str, ...], *words: str) -> _Read:
    """Reads all kinds at once. Raises CliError, also where one of them is forbidden."""
    return _Read(kubectl.get(",".join(kinds), *words))


def _readable(kubectl: Kubectl, kinds: tuple[str, ...], *words: str) -> _Read:
    """Reads all kinds at once; each by itself only where one of them is forbidden.

    Raises CliError for other faults.
    """
    try:
        return _all(kubectl, kinds, *words)
    except Forbidden:
        if len(kinds) == 1:
            return _Read([], kinds)
    reads = [_readable(kubectl, (kind,), *words) for kind in kinds]
    forbidden = tuple(kind for read in reads for kind in read.forbidden)
    return _Read([one for read in reads for one in read.objects], forbidden)


def records(kubectl: Kubectl, name: str) -> list[Raw]:
    """The ControllerRevisions of a model, in no order."""
    return kubectl.get(RECORDS, f"--selector={MODEL_LABEL}={name}")


def traffic_object(kubectl: Kubectl, parent: Raw) -> Raw | None:
    """The object with the current traffic record: the route of the model, or else its Service;
    None before the first version. Raises CliError when it cannot be read."""
    kind = text(part(parent, "status", "route"), "kind")
    name = text(part(parent, "metadata"), "name")
    try:
        return kubectl.get(ROUTES.get(kind, "services"), name)[0]
    except CliError as error:
        if error.code is Exit.NOT_FOUND:
            return None
        raise


def readable_traffic_object(kubectl: Kubectl, parent: Raw) -> Raw | None:
    """The same; None, and a line on stderr, where the user may not read it."""
    try:
        return traffic_object(kubectl, parent)
    except Forbidden:
        echo("The current traffic is not shown, since you may not read its object.", err=True)
        return None


def _about(name: str) -> str:
    return f"--field-selector=involvedObject.kind=ModelDeployment,involvedObject.name={name}"
