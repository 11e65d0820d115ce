"""What the user may do, by `kubectl auth can-i`, for each verb of the command line."""

from __future__ import annotations

from collections.abc import Iterator

from canarium_cli.doctor.facts import Facts
from canarium_cli.doctor.finding import Finding, ok, problem, unreadable, warning
from canarium_cli.exits import CliError
from canarium_cli.reads import MODELS

SUBJECT = "your rights"
#: Verb and resource → the verbs of the command line that need it.
NEEDED: dict[tuple[str, str], str] = {
    ("get", MODELS): "every verb",
    ("list", MODELS): "list, get -w, status",
    ("watch", MODELS): "get -w, status, top",
    ("patch", MODELS): "promote, abort, undo, retry, pause, resume, ship --apply",
    ("list", "pods"): "get, why, logs",
    ("list", "deployments.apps"): "get",
    ("list", "services"): "get",
    ("list", "horizontalpodautoscalers.autoscaling"): "get",
    ("list", "controllerrevisions.apps"): "get, history, diff, rollback, record",
    ("list", "events"): "events, why",
    ("get", "pods/log"): "logs",
    ("create", "pods/portforward"): "infer",
}


def examine(facts: Facts) -> Iterator[Finding]:
    """Names each right that is missing, with the verbs that do not work without it."""
    fine = 0
    for (verb, resource), used_by in NEEDED.items():
        allowed = facts.rights.get((verb, resource), False)
        if isinstance(allowed, CliError):
            yield unreadable(SUBJECT, f"the right to {verb} {resource}", allowed.message)
        elif allowed:
            fine += 1
        else:
            grade = problem if (verb, resource) == ("get", MODELS) else warning
            message = f"You may not {verb} {resource} in namespace {facts.namespace}"
            yield grade(SUBJECT, message, f"Ask for it to use: {used_by}")
    if fine:
        yield ok(SUBJECT, f"You have {fine} of {len(NEEDED)} rights that the verbs need")
