"""Whether an operator manages the namespace, and only one does."""

from __future__ import annotations

from collections.abc import Iterator

from canarium.view.objects import Raw, part, text
from canarium_cli.doctor.facts import Facts, selector_of
from canarium_cli.doctor.finding import Finding, ok, problem, unreadable
from canarium_cli.doctor.operators import is_fresh

SUBJECT = "scope"
_ANNOTATION = "canarium.dev/scope"


def examine(facts: Facts) -> Iterator[Finding]:
    """Compares the namespace with the scopes that operators write on their Leases."""
    if facts.fault("leases"):
        yield unreadable(SUBJECT, "the Leases", facts.fault("leases"))
        return
    leases = [lease for lease in facts["leases"] if is_fresh(lease, facts.now)]
    if not leases:
        return
    here = [lease for lease in leases if _covers(lease, facts)]
    if not here:
        scopes = ", ".join(_scope(lease) for lease in leases)
        yield problem(
            SUBJECT,
            f"No operator manages namespace {facts.namespace}: models there get no status "
            f"(managed: {scopes})",
            "Add the namespace to scope.namespaces of the chart, or use another one",
        )
    elif len(here) > 1:
        where = ", ".join(text(part(lease, "metadata"), "namespace") for lease in here)
        yield problem(
            SUBJECT,
            f"Several operators manage namespace {facts.namespace}: those in {where}",
            "Give each release its own scope.namespaces",
        )
    else:
        yield ok(SUBJECT, f"Namespace {facts.namespace} is managed")


def _covers(lease: Raw, facts: Facts) -> bool:
    scope = _scope(lease)
    if scope != "*":
        return facts.namespace in scope.split(",")
    home = text(part(lease, "metadata"), "namespace")
    deployments = [
        one for one in facts["deployments"] if text(part(one, "metadata"), "namespace") == home
    ]
    if not selector_of(deployments) or facts.fault("selected"):
        return True
    return facts.namespace in {text(part(one, "metadata"), "name") for one in facts["selected"]}


def _scope(lease: Raw) -> str:
    return text(part(part(lease, "metadata"), "annotations"), _ANNOTATION) or "*"
