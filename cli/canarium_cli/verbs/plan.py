"""`plan`: what applying a file would do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from canarium.view.ages import short
from canarium_cli.connection import Connection, connected
from canarium_cli.exits import Exit
from canarium_cli.output.formats import write_json
from canarium_cli.output.lines import Line, Span, Style, line, table
from canarium_cli.output.terminal import write

if TYPE_CHECKING:
    from canarium.core.facts.observed import ResolvedRuntime
    from canarium_cli.planning.changes import Change
    from canarium_cli.planning.server import Live

_MARKS = {"create": ("+", Style.GOOD), "change": ("~", Style.WARNING), "delete": ("-", Style.BAD)}
Plan = dict[str, Any]


@click.command("plan")
@click.option("-f", "--file", required=True, metavar="FILE", help="File, or - for standard input.")
@click.option("--name", metavar="NAME", help="The model, where the file has several.")
@click.option(
    "--server",
    is_flag=True,
    help="Compare with the cluster: admission, your rights, quotas, room on nodes.",
)
@click.option(
    "--against", metavar="FILE", help="Compare with another file, such as the applied one."
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@connected
def plan_command(
    connection: Connection,
    file: str,
    name: str | None,
    server: bool,
    against: str | None,
    output: str,
) -> None:
    """Show what applying a file would do: revision, objects, pods at each step.

    Without --server and --against it is taken for the update of a model about which nothing is
    known. Exits with 7 if the cluster would reject it.
    """
    from canarium_cli.lint.chosen import chosen

    if server and against:
        raise click.UsageError("--server and --against exclude each other.")
    selected = chosen(file, name)
    before, live = None, None
    if against:
        before = chosen(against, selected.model.name).model.spec
    if server:
        from canarium_cli.planning.server import live as read_live
        from canarium_cli.planning.server import require_known_spec

        namespace = selected.model.metadata.get("namespace")
        if namespace and not connection.kubectl.namespace:
            from dataclasses import replace

            connection = replace(
                connection, kubectl=replace(connection.kubectl, namespace=str(namespace))
            )
        live = read_live(connection.kubectl, selected.model.name)
        if live.model:
            require_known_spec(live.model)
        before = live.model["spec"] if live.model else None
    plan = _plan(selected.model.body, selected.documents, before, live, connection)
    if plan["pods"]:
        from canarium_cli.planning.templates import templates

        kubectl = connection.kubectl if server else None
        uses = templates(selected.model, selected.documents, kubectl)
        plan["checkTemplates"] = [asdict(one) for one in uses]
    if output == "json":
        write_json(plan)
    else:
        write(list(_lines(plan)), connection.color)
    if any(verdict["rejected"] for verdict in plan["cluster"]):
        raise SystemExit(int(Exit.NOT_ACCEPTED))


def _plan(
    body: Mapping[str, Any],
    documents: list[Any],
    before: Mapping[str, Any] | None,
    live: Live | None,
    connection: Connection,
) -> Plan:
    from dataclasses import replace

    from canarium.simulation.rollout import simulate
    from canarium.simulation.scenario import Scenario
    from canarium_cli.planning.changes import changes, revision_of
    from canarium_cli.planning.progress import resolved, running
    from canarium_cli.planning.writes import writes

    spec, name = body["spec"], body["metadata"].get("name", "model")
    revision = revision_of(spec, live.records if live else [])
    listed_changes = changes(before, spec) if before is not None else []
    first = live is not None and live.model is None
    decides = [change for change in listed_changes if change.decides]
    rolls_out = not revision.existing and (before is None or bool(decides))
    pod, server = _rendered(body, documents, connection if live is not None else None)
    runtime = resolved(server)
    current = running(live.model) if live else None
    under_way = current if current and current.revision != revision.revision else None
    scenario = Scenario(first=first)
    if under_way and live and live.model:
        scenario = replace(scenario, running=live.model["spec"], running_weight=under_way.weight)
    rollout = simulate(spec, scenario, runtime) if rolls_out else None
    more = rollout.peak - rollout.before if rollout else 0
    others = "an earlier version" if under_way else "the previous version"
    actions = rollout.actions if rollout else []
    listed = writes(name, revision.revision, actions, first=first, others=others)
    verdicts = []
    if live is not None:
        from canarium_cli.planning.server import verdicts as ask

        answers = ask(connection.kubectl, body, live.model is not None, pod, more)
        verdicts = [asdict(verdict) for verdict in answers]
    return {
        "model": name,
        "revision": {
            "name": revision.revision,
            "new": rolls_out,
            "known": live is not None or before is not None,
            "quarantined": revision.quarantined,
            "resolved": revision.resolved,
        },
        "rolloutInProgress": asdict(under_way) if under_way else None,
        "deadlines": _deadlines(spec, runtime) if rollout else None,
        "gates": _gates(spec) if rollout else [],
        "checkTemplates": [],
        "changes": [asdict(change) for change in listed_changes],
        "objects": [asdict(write) for write in listed]
        if rollout
        else _settings(name, listed_changes),
        "pods": [asdict(usage) for usage in rollout.usage] if rollout else [],
        "cluster": verdicts,
    }


def _gates(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the gates at which the rollout would wait."""
    from canarium.api.effective_spec import effective_spec
    from canarium.api.model_deployment import Spec

    return [
        {"name": gate.name, "kind": gate.kind, "before": gate.before, "weight": gate.weight}
        for gate in effective_spec(Spec.model_validate(spec)).gates
    ]


def _deadlines(spec: Mapping[str, Any], runtime: ResolvedRuntime) -> dict[str, float | None]:
    from canarium_cli.planning.progress import deadlines

    limits = deadlines(spec, runtime)
    return {"progressSeconds": limits.progress, "startupBudgetSeconds": limits.startup_budget}


def _settings(name: str, listed_changes: list[Change]) -> list[dict[str, str]]:
    """Objects that a change of settings concerns: none of them is a rollout."""
    touched = {change.path.split(".")[1] for change in listed_changes}
    objects = []
    if "scaling" in touched:
        objects.append({"action": "change", "object": f"Deployment or autoscaler of {name}"})
    if "traffic" in touched:
        objects.append({"action": "change", "object": f"Service/{name} or its route"})
    return objects


def _rendered(
    body: Mapping[str, Any], documents: list[Any], connection: Connection | None
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """The pod spec of the new revision and its server, by the runtimes of the file and, with a
    connection, of the cluster; None where there is no such runtime."""
    from canarium.render import pod, runtime
    from canarium.render.errors import RuntimeInvalid
    from canarium_cli.exits import CliError, NotLoggedIn
    from canarium_cli.lint.runtimes import FETCHER, catalog
    from canarium_cli.verbs.runtimes import catalog_of, with_files

    namespace = str(body["metadata"].get("namespace") or "default")
    if connection and connection.kubectl.namespace:
        namespace = connection.kubectl.namespace
    try:
        if connection:
            runtimes = with_files(catalog_of(connection)[0], documents, namespace)
        else:
            runtimes = catalog(documents, namespace)
        name, spec = str(body["metadata"].get("name")), body["spec"]
        server = runtime.server(name, namespace, spec, runtimes.choose(spec))
        template: Mapping[str, Any] = pod.pod_template(name, "revision", spec, server, FETCHER)[
            "spec"
        ]
    except NotLoggedIn:
        raise
    except (CliError, RuntimeInvalid):
        return None, None
    return template, server


def _lines(plan: Plan) -> Iterator[Line]:
    revision = plan["revision"]
    yield line(Span(f"{plan['model']}: {_revision_text(plan)}", Style.TITLE))
    if revision["quarantined"]:
        text = "It failed before and is quarantined: nothing happens until `retry`."
        yield line(Span(text, Style.BAD))
    if plan["rolloutInProgress"]:
        yield line(Span(_in_progress(plan["rolloutInProgress"], revision), Style.WARNING))
    for title, decides in (
        ("Fields that decide the revision", True),
        ("Other fields, which start no rollout", False),
    ):
        listed = [change for change in plan["changes"] if change["decides"] is decides]
        if listed:
            yield line()
            yield line(Span(title, Style.MUTED))
            for change in listed:
                yield line(f"  {change['path']}: {_value(change['before'])} → ", Span(
                    _value(change["after"]), Style.ACTIVE
                ))  # fmt: skip
    if plan["objects"]:
        yield line()
        yield line(Span("Objects, in order", Style.MUTED))
        for item in plan["objects"]:
            mark, style = _MARKS[item["action"]]
            yield line("  ", Span(f"{mark} {item['action']}", style), f" {item['object']}")
    if plan["pods"]:
        yield line()
        rows = [(f"{u['weight']}%", str(u["candidate"]), str(u["earlier"])) for u in plan["pods"]]
        yield from table(("WEIGHT", "NEW PODS", "OLD PODS"), rows)
        limits = plan["deadlines"]
        budget = limits["startupBudgetSeconds"]
        longest = short(limits["progressSeconds"])
        text = f"The rollout fails if new pods take longer than {longest} to become ready"
        yield line(Span(
            f"{text}; the runtime allows {short(budget)} for a start." if budget else f"{text}.",
            Style.MUTED,
        ))  # fmt: skip
    for gate in plan["gates"]:
        weight = "" if gate["weight"] is None else f" {gate['weight']}"
        text = f"Waits at gate {gate['name']} ({gate['kind']}) before {gate['before']}{weight}."
        yield line(Span(text, Style.WARNING))
    for template in plan["checkTemplates"]:
        yield _template_line(template)
    if plan["cluster"]:
        yield line()
        for verdict in plan["cluster"]:
            style = Style.GOOD if verdict["ok"] else Style.BAD
            mark = "✔" if verdict["ok"] else "✖"
            yield line(Span(f"{mark} {verdict['check']}: ", style), verdict["message"])


def _template_line(planned: Mapping[str, Any]) -> Line:
    """Returns which checks of a template judge the rollout."""
    title = planned["template"]
    if planned["fault"]:
        return line(Span(f"Waits for checks: {planned['fault']}.", Style.WARNING))
    if planned["checks"] is None:
        text = f"Judged by {title}, which is not in the file and was not read (--server)."
        return line(Span(text, Style.MUTED))
    return line(Span(f"Judged by {title}: {', '.join(planned['checks'])}.", Style.MUTED))


def _in_progress(current: Mapping[str, Any], revision: Mapping[str, Any]) -> str:
    """Returns what becomes of the rollout or the bake that the file meets."""
    version = f" of version {current['version']}" if current["version"] else ""
    if current["warm"]:
        warm = f"the warm pods of {current['warm']}"
        effect = "serve again" if current["warm"] == revision["name"] else "are deleted first"
        return (
            f"The bake{version} ({current['revision']}) is not over: this file ends it, and {warm} "
            f"{effect}."
        )
    effect = "replaces" if revision["new"] else "ends"
    return (
        f"The rollout{version} ({current['revision']}) has weight {current['weight']} and is not "
        f"over: this file {effect} it."
    )


def _revision_text(plan: Plan) -> str:
    revision = plan["revision"]
    name = revision["name"]
    if not revision["resolved"]:
        known = "new revision" if revision["known"] else "revision"
        return f"{known}, named by what spec.model.uri names when it is stored"
    if not revision["known"]:
        return f"revision {name}; whether it is new depends on the cluster (--server)"
    if revision["new"]:
        return f"new revision {name}"
    if any(change["decides"] for change in plan["changes"]):
        # R11: a revision that was promoted before skips the steps.
        return f"returns to the stored revision {name}, without steps if it was promoted before"
    return f"no new revision, {name} stays" if not plan["changes"] else f"no rollout, {name}"


def _value(value: Any) -> str:
    return "absent" if value is None else json.dumps(value, ensure_ascii=False)
