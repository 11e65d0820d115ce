"""`rerun`: another run of the Job of a gate that waits, and the operator's answer."""

from __future__ import annotations

from dataclasses import replace

import click

from canarium.api.states import GateKind, GateState
from canarium.view.model import gates
from canarium_cli.connection import Connection, connected
from canarium_cli.exits import CliError, Exit, usage
from canarium_cli.verbs.commands import Options, Order, give, order_options


def _gate(order: Order, wanted: str) -> str:
    """Returns the gate whose Job is run: `wanted`, else the only one that waits for its Job.

    Raises CliError where there is none or several.
    """
    kinds = {gate.name: gate.kind for gate in gates(order.model)}
    if wanted:
        if wanted not in kinds:
            has = f"it has {', '.join(kinds)}" if kinds else "it has none"
            raise CliError(f"{order.name} has no gate {wanted}; {has}.", Exit.NOT_ACCEPTED)
        if kinds[wanted] != GateKind.JOB:
            text = f"Gate {wanted} has no Job: its kind is {kinds[wanted]}."
            raise CliError(text, Exit.NOT_ACCEPTED)
        return wanted
    waiting = [
        gate.name
        for gate in gates(order.model)
        if gate.kind == GateKind.JOB and gate.state == GateState.WAITING
    ]
    if not waiting:
        raise CliError(
            f"No gate of {order.name} waits for a Job, so there is nothing to run again; see "
            f"`get {order.name}`.",
            Exit.NOT_ACCEPTED,
        )
    if len(waiting) > 1:
        raise usage(f"{order.name} waits at several gates; name one: --gate {'|'.join(waiting)}.")
    return waiting[0]


@click.command("rerun")
@click.option("--gate", default="", metavar="GATE", help="The gate; default: the one that waits.")
@order_options("the Job of another one")
@click.argument("name", metavar="NAME")
@connected
def rerun_command(
    connection: Connection,
    name: str,
    gate: str,
    revision: str,
    yes: bool,
    dry_run: bool,
    no_wait: bool,
    timeout: float,
) -> None:
    """Run the Job of a gate that waits again.

    For a Job that was lost, hangs, or cannot start. One that still runs is deleted. The new one
    is defined as in the spec and its ModelGate now, and its timeout starts again. It passes nothing
    by itself: only the result of the Job does. A gate whose Job has failed has failed the version;
    use retry for that.

    Exit codes: 0 the operator accepted it, 7 it ignored it or no gate waits, 3 it did not answer,
    4 not found, 5 forbidden or unreachable.
    """

    def complete(order: Order) -> Order:
        return replace(order, token=f"{_gate(order, gate)}:{order.token}")

    give(
        connection,
        "rerun",
        Options((name,), None, revision, yes, dry_run, not no_wait, timeout, complete),
    )
