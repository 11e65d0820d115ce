"""`approve` and `reject`: a person's decision about a gate, and the operator's answer.

The decision is a command like others, with the name of the gate before its token. Who decides and
the comment are annotations of the same write. The admission policy of the chart verifies both the
right and the name, so what is read here is a claim that the API server checks.
"""

from __future__ import annotations

import json
from dataclasses import replace

import click

from canarium import GROUP
from canarium.api.states import GateKind
from canarium.view.model import gates
from canarium_cli.connection import Connection, connected
from canarium_cli.exits import CliError, Exit, usage
from canarium_cli.kubectl import Kubectl
from canarium_cli.verbs.commands import Options, Order, give, order_options

#: Longest comment that the operator keeps whole.
_LONGEST = 1000


def _user(kubectl: Kubectl) -> str:
    """Returns the name of the user as the API server knows it; empty where it does not answer."""
    try:
        review = json.loads(kubectl.run("auth", "whoami", "-o", "json"))
        name = review["status"]["userInfo"]["username"]
    except (CliError, ValueError, KeyError, TypeError):
        return ""
    return name if isinstance(name, str) else ""


def _gate(order: Order, wanted: str) -> str:
    """Returns the gate that the decision is about: `wanted`, else the only one that waits.

    Raises CliError where none or several wait.
    """
    listed = gates(order.model)
    kinds = {gate.name: gate.kind for gate in listed}
    if wanted:
        names = list(kinds)
        if wanted not in kinds:
            has = f"it has {', '.join(names)}" if names else "it has none"
            raise CliError(f"{order.name} has no gate {wanted}; {has}.", Exit.NOT_ACCEPTED)
        if kinds[wanted] != GateKind.APPROVAL:
            text = f"No person decides about gate {wanted}, whose kind is {kinds[wanted]}."
            raise CliError(text, Exit.NOT_ACCEPTED)
        return wanted
    waiting = [g.name for g in listed if g.kind == GateKind.APPROVAL and g.state == "Waiting"]
    if not waiting:
        raise CliError(
            f"No gate of {order.name} waits for a decision, so there is nothing to "
            f"{order.command}; see `get {order.name}`.",
            Exit.NOT_ACCEPTED,
        )
    if len(waiting) > 1:
        raise usage(f"{order.name} waits at several gates; name one: --gate {'|'.join(waiting)}.")
    return waiting[0]


def _notes(user: str, comment: str) -> tuple[str, ...]:
    """Returns the annotations of who decides and why; those of an earlier decision are removed."""
    by, why = f"{GROUP}/approval-by", f"{GROUP}/approval-comment"
    return (f"{by}={user}" if user else f"{by}-", f"{why}={comment}" if comment else f"{why}-")


def _verb(command: str, text: str) -> click.Command:
    @click.option(
        "--gate", default="", metavar="GATE", help="The gate; default: the one that waits."
    )
    @click.option("-m", "--comment", default="", metavar="TEXT", help="Why, for the record.")
    @order_options("a decision about another one")
    @click.argument("name", metavar="NAME")
    @connected
    def run(
        connection: Connection,
        name: str,
        gate: str,
        comment: str,
        revision: str,
        yes: bool,
        dry_run: bool,
        no_wait: bool,
        timeout: float,
    ) -> None:
        if len(comment) > _LONGEST:
            raise usage(f"The comment has {len(comment)} characters; at most {_LONGEST} are kept.")
        notes = _notes(_user(connection.kubectl), comment)

        def complete(order: Order) -> Order:
            return replace(order, token=f"{_gate(order, gate)}:{order.token}", notes=notes)

        options = Options((name,), None, revision, yes, dry_run, not no_wait, timeout, complete)
        give(connection, command, options)

    run.__doc__ = f"""{text}

    Requires the verbs patch and approve on the model. The decision, your name and the comment are
    kept with the revision.

    Exit codes: 0 the operator accepted it, 7 it ignored it or no gate waits, 3 it did not answer,
    4 not found, 5 forbidden or unreachable.
    """
    return click.command(command)(run)


approve_command = _verb("approve", "Approve the version at a gate, so that the rollout continues.")
reject_command = _verb("reject", "Reject the version at a gate: it fails and is rolled back.")
