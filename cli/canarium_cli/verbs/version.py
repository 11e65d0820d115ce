"""`version`: of client, operator, CRDs and cluster, and whether they fit together."""

from __future__ import annotations

import re
from typing import Any

import click

from canarium import VERSION
from canarium.view.objects import part, text
from canarium_cli.connection import Connection, connected
from canarium_cli.exits import CliError, NotLoggedIn
from canarium_cli.kubectl import Kubectl
from canarium_cli.output.formats import write_json
from canarium_cli.output.lines import table
from canarium_cli.output.terminal import columns, echo, write


@click.command("version")
@click.option("--client", "client_only", is_flag=True, help="Ask no cluster.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@connected
def version_command(connection: Connection, client_only: bool, output: str) -> None:
    """Show the versions of client, operator and CRDs, and whether they fit together."""
    versions: dict[str, Any] = {"client": VERSION}
    if not client_only:
        versions |= _cluster(connection.kubectl)
    if output == "json":
        write_json(versions)
        return
    rows = [("client", VERSION)]
    if not client_only:
        rows += [
            ("operator", ", ".join(versions["operators"]) or "not found"),
            ("CRDs", versions["crds"]),
            ("kubectl", versions["kubectl"] or "unknown"),
            ("Kubernetes", versions["kubernetes"] or "unknown"),
        ]
    write(table(["PART", "VERSION"], rows, width=columns()), connection.color)
    if not client_only:
        echo(f"\n{versions['verdict']}")


def _cluster(kubectl: Kubectl) -> dict[str, Any]:
    """Versions of the cluster. Raises CliError if it does not answer."""
    from canarium_cli.doctor.facts import DEFINITIONS, OPERATOR
    from canarium_cli.doctor.operators import version_of

    raw = kubectl.versions()
    words = ("--all-namespaces", f"--selector={OPERATOR}")
    try:
        deployments = kubectl.get("deployments", *words)
        operators = sorted({version_of(one) or "unknown" for one in deployments})
    except NotLoggedIn:
        raise
    except CliError:
        operators = ["not readable"]
    crds, fit = _definitions(kubectl, DEFINITIONS)
    return {
        "operators": operators,
        "crds": crds,
        "kubectl": text(part(raw, "clientVersion"), "gitVersion") or None,
        "kubernetes": text(part(raw, "serverVersion"), "gitVersion") or None,
        "skew": _skew(operators, fit),
        "verdict": verdict(operators, fit),
    }


def _definitions(kubectl: Kubectl, names: tuple[str, ...]) -> tuple[str, str]:
    """A description of the CRDs, and `same`, `older`, `newer`, `missing` or `unknown`."""
    from canarium_cli.doctor.definitions import differences

    try:
        present = kubectl.get("crd", *names, may_be_missing=True)
    except NotLoggedIn:
        raise
    except CliError:
        return "not readable", "unknown"
    if len(present) < len(names):
        return f"{len(present)} of {len(names)} installed", "missing"
    older, newer = differences(present)
    if older:
        return "older than this client", "older"
    return ("newer than this client", "newer") if newer else (f"those of {VERSION}", "same")


def _skew(operators: list[str], fit: str) -> str:
    """One word for tools: `none`, `client-newer`, `client-older`, `missing` or `unknown`."""
    if fit == "missing":
        return "missing"
    others = [_numbers(one) for one in operators if _numbers(one)]
    if fit == "older" or any(one < _numbers(VERSION) for one in others):
        return "client-newer"
    if fit == "newer" or any(one > _numbers(VERSION) for one in others):
        return "client-older"
    return "none" if fit == "same" and others else "unknown"


def verdict(operators: list[str], fit: str) -> str:
    """Returns whether client, operators and CRDs fit, and what to do."""
    return {
        "none": "Client, operator and CRDs fit together.",
        "missing": "The CRDs are not installed: install the operator with its Helm chart.",
        "client-newer": "The client is newer: fields that the operator or its CRDs do not know are "
        "rejected. Upgrade the operator, or use the client of its version.",
        "client-older": "The client is older: it does not show newer fields. Upgrade it.",
        "unknown": "Cannot compare: the operator or the CRDs are not visible to you, or the "
        "operator was not installed by its chart.",
    }[_skew(operators, fit)]


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    return tuple(int(one) for one in match.groups()) if match else ()
