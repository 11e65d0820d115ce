"""What the cluster is asked about a plan: does it accept the model, and have room for its pods?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from canarium import VERSION
from canarium.api.model_deployment import Spec
from canarium_cli.exits import CliError, Exit, NotLoggedIn, usage
from canarium_cli.kubectl import Kubectl
from canarium_cli.planning.capacity import exceeded, fitting
from canarium_cli.reads import MODELS, model, records

Raw = Mapping[str, Any]
#: What room on nodes means.
_CONSIDERED = (
    "Counted are requests, node selectors, node affinity and taints; not checked are affinity "
    "between pods, topology spread, volumes and host ports."
)


@dataclass(frozen=True, slots=True)
class Live:
    """The model in the cluster and its stored revisions; None before it exists."""

    model: Raw | None
    records: list[Raw]


@dataclass(frozen=True, slots=True)
class ServerCheck:
    """An answer of the cluster. `rejected`: applying the file would fail."""

    check: str
    rejected: bool
    ok: bool
    message: str


def live(kubectl: Kubectl, name: str) -> Live:
    """Reads the model. Raises CliError if the cluster cannot be asked."""
    try:
        parent = model(kubectl, name)
    except CliError as error:
        if error.code is not Exit.NOT_FOUND:
            raise
        return Live(None, [])
    return Live(parent, records(kubectl, name))


def require_known_spec(applied: Raw) -> None:
    """Raises CliError if the applied spec has what this client does not know, as with the CRDs of
    a newer operator: its rollout cannot be simulated."""
    try:
        Spec.model_validate(applied.get("spec"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(["spec", *map(str, first["loc"])])
        raise usage(
            f"The model in the cluster has a spec that this client (version {VERSION}) does not "
            f"know: {field}: {first['msg']}. Use the client of the operator's version; `kubectl "
            "modeldeploy version` shows it."
        ) from None


def verdicts(
    kubectl: Kubectl, body: Raw, exists: bool, pod: Raw | None, more: int
) -> Iterator[ServerCheck]:
    """Yields what the cluster answers: rights, admission, quotas, nodes.

    `pod` is the pod spec of the new revision and `more` how many pods the rollout adds at most.
    """
    verb = "patch" if exists else "create"
    if not kubectl.allowed(verb, MODELS):
        message = f"You may not {verb} modeldeployments.canarium.dev: ask for the right."
        yield ServerCheck("rights", True, False, message)
    else:
        yield ServerCheck("rights", False, True, f"You may {verb} modeldeployments.canarium.dev.")
        yield _admission(kubectl, body)
    if more <= 0:
        yield ServerCheck("capacity", False, True, "No additional pods are needed.")
        return
    if pod is None:
        message = f"Room for {more} more pods is unknown: the runtime of the model cannot be read."
        yield ServerCheck("capacity", False, False, message)
        return
    yield from _quotas(kubectl, pod, more)
    yield from _nodes(kubectl, pod, more)


def _admission(kubectl: Kubectl, body: Raw) -> ServerCheck:
    try:
        kubectl.run("apply", "--dry-run=server", "--filename=-", stdin=json.dumps(body))
    except CliError as error:
        if error.code is Exit.UNREACHABLE and "forbidden" not in error.message.lower():
            # No answer of the API server about the model.
            raise
        return ServerCheck("admission", True, False, error.message)
    return ServerCheck("admission", False, True, "The API server accepts the model (dry run).")


def _quotas(kubectl: Kubectl, pod: Raw, more: int) -> Iterator[ServerCheck]:
    try:
        quotas = kubectl.get("resourcequotas")
    except NotLoggedIn:
        raise
    except CliError as error:
        yield ServerCheck("quota", False, False, f"Quotas are unknown: {error.message}")
        return
    messages = list(exceeded(quotas, pod, more))
    for message in messages:
        yield ServerCheck("quota", False, False, message)
    if not messages:
        yield ServerCheck("quota", False, True, f"Quotas have room for {more} more pods.")


def _nodes(kubectl: Kubectl, pod: Raw, more: int) -> Iterator[ServerCheck]:
    try:
        nodes = kubectl.get("nodes")
        pods = kubectl.get("pods", "--all-namespaces")
    except NotLoggedIn:
        raise
    except CliError as error:
        yield ServerCheck("nodes", False, False, f"Room on nodes is unknown: {error.message}")
        return
    placed = fitting(nodes, pods, pod, more)
    if placed < more:
        message = (
            f"Nodes have room for {placed} of {more} more pods: add nodes or lower the requests."
        )
        yield ServerCheck("nodes", False, False, f"{message} {_CONSIDERED}")
    else:
        message = f"Nodes have room for {more} more pods."
        yield ServerCheck("nodes", False, True, f"{message} {_CONSIDERED}")
