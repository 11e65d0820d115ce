"""`runtimes`: which server runs a model and why, and the pod that it becomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from canarium_cli.connection import Connection, connected
from canarium_cli.exits import CliError, NotLoggedIn, not_found, usage
from canarium_cli.output.formats import write_json, write_yaml
from canarium_cli.output.lines import Line, Span, Style, line, table
from canarium_cli.output.terminal import columns, echo, write

if TYPE_CHECKING:
    from canarium.render.runtime_catalog import Catalog, RuntimeTemplate
    from canarium_cli.lint.chosen import Chosen

_ACTIONS = click.Choice(["list", "show", "render"])
_KINDS = ("modelruntimes.canarium.dev", "clustermodelruntimes.canarium.dev")


@click.command("runtimes")
@click.argument("action", type=_ACTIONS, default="list")
@click.argument("name", required=False)
@click.option("-f", "--file", metavar="FILE", help="File with a model, or - for standard input.")
@click.option("--offline", is_flag=True, help="Built-in runtimes only; ask no cluster.")
@click.option("-o", "--output", type=click.Choice(["text", "json", "yaml"]), default="text")
@connected
def runtimes_command(
    connection: Connection,
    action: str,
    name: str | None,
    file: str | None,
    offline: bool,
    output: str,
) -> None:
    """List runtimes, show one, or render the pod of a model in a file.

    \b
    runtimes list            built-in ones and those of the cluster
    runtimes list -f FILE    which one takes this model, and why
    runtimes show NAME       a runtime's specification
    runtimes render -f FILE  the pod template of this model
    """
    from canarium.render.runtime_catalog import Catalog

    manifest = _manifest(action, file, name)
    catalog, notes = (Catalog(), []) if offline else catalog_of(connection)
    if not connection.quiet:
        for note in notes:
            echo(f"Note: {note}", err=True)
    if action == "show":
        _show(catalog, name, output)
    elif manifest and action == "render":
        _render(catalog, manifest, str(file), output)
    elif manifest:
        _explain(catalog, manifest, str(file), output, connection.color)
    else:
        models = None if offline else _models(connection)
        _list(catalog, models, output, connection.color)


def _manifest(action: str, file: str | None, name: str | None) -> Chosen | None:
    """The model of the file, where the action uses one. Raises CliError if it has an error."""
    from canarium_cli.lint.chosen import chosen

    if action == "show" or (action != "render" and not file):
        return None
    if not file:
        raise usage("Name a file with -f.")
    return chosen(file, name)


def catalog_of(connection: Connection) -> tuple[Catalog, list[str]]:
    """Returns the runtimes that this person may read, and why others are missing.

    Raises CliError if none of the cluster can be read.
    """
    from canarium.api.runtime import CLUSTER, NAMESPACED
    from canarium.render.runtime_catalog import Catalog, RuntimeTemplate

    by_kind: dict[str, dict[str, RuntimeTemplate]] = {NAMESPACED: {}, CLUSTER: {}}
    faults: dict[str, CliError] = {}
    for kind, resource in zip((NAMESPACED, CLUSTER), _KINDS, strict=True):
        try:
            for raw in connection.kubectl.get(resource):
                name = str(raw["metadata"]["name"])
                by_kind[kind][name] = RuntimeTemplate(kind, name, raw.get("spec") or {})
        except NotLoggedIn:
            raise
        except CliError as error:
            faults[kind] = error
    if len(faults) == len(by_kind):
        first = faults[NAMESPACED]
        message = f"{first.message} For the built-in runtimes alone, use --offline."
        raise CliError(message, first.code)
    notes = [f"Without any {kind}: {error.message}" for kind, error in faults.items()]
    return Catalog(by_kind[NAMESPACED], by_kind[CLUSTER]), notes


def _models(connection: Connection) -> list[Mapping[str, Any]] | None:
    """The stored records of the namespace, which have the digest of their runtime; None, with a
    note, where they cannot be read."""
    try:
        return list(
            connection.kubectl.get("controllerrevisions.apps", "--selector=canarium.dev/model")
        )
    except NotLoggedIn:
        raise
    except CliError as error:
        if not connection.quiet:
            echo(f"Note: Who uses a runtime is unknown: {error.message}", err=True)
        return None


def _list(
    catalog: Catalog, records: list[Mapping[str, Any]] | None, output: str, color: str
) -> None:
    entries = [
        _entry(runtime, records)
        for scope in catalog.scopes()
        for _, runtime in sorted(scope.items())
    ]
    if output == "json":
        write_json(entries)
    elif output == "yaml":
        write_yaml(entries)
    else:
        head = ("NAME", "KIND", "PROTOCOL", "FORMATS", "USED BY", "OUTDATED")
        rows = [
            (
                entry["name"],
                entry["kind"],
                entry["protocol"] or "-",
                ",".join(entry["formats"]) or "-",
                "-" if entry["usedBy"] is None else str(len(entry["usedBy"])),
                Span(", ".join(entry["outdated"]) or "-", Style.WARNING),
            )
            for entry in entries
        ]
        write(table(head, rows, width=columns()), color)


def _entry(runtime: RuntimeTemplate, records: list[Mapping[str, Any]] | None) -> dict[str, Any]:
    """`usedBy` are models with a record of this runtime, `outdated` those whose newest record has
    another version of it: they adopt it with a new `spec.restartToken`."""
    newest: dict[str, Mapping[str, Any]] = {}
    for record in records or ():
        model = str(record["metadata"].get("labels", {}).get("canarium.dev/model"))
        if int(record.get("revision") or 0) >= int(newest.get(model, {}).get("revision") or 0):
            newest[model] = record
    stored = {
        model: (record.get("data") or {}).get("runtime") or {} for model, record in newest.items()
    }
    mine = {m: r for m, r in stored.items() if (r.get("kind"), r.get("name")) == (
        runtime.kind, runtime.name
    )}  # fmt: skip
    return {
        "name": runtime.name,
        "kind": runtime.kind,
        "protocol": runtime.spec.get("protocol"),
        "formats": [item["name"] for item in runtime.spec.get("formats") or ()],
        "usedBy": None if records is None else sorted(mine),
        "outdated": sorted(m for m, r in mine.items() if r.get("digest") != runtime.digest),
    }


def _show(catalog: Catalog, name: str | None, output: str) -> None:
    if not name:
        raise usage("Name a runtime: `runtimes list` lists them.")
    for scope in catalog.scopes():
        if name in scope:
            runtime = scope[name]
            body = {
                "kind": runtime.kind,
                "metadata": {"name": runtime.name},
                "spec": dict(runtime.spec),
            }
            (write_json if output == "json" else write_yaml)(body)
            return
    raise not_found(f"There is no runtime {name}. `runtimes list` lists them.")


def with_files(catalog: Catalog, documents: Any, namespace: str) -> Catalog:
    """The catalog with the runtimes of a file, which would be applied together."""
    from canarium.render.runtime_catalog import Catalog
    from canarium_cli.lint import runtimes

    own = runtimes.catalog(documents, namespace)
    return Catalog({**catalog.namespaced, **own.namespaced}, {**catalog.cluster, **own.cluster})


def _render(catalog: Catalog, selected: Chosen, file: str, output: str) -> None:
    from canarium.core.facts.revision import digest_v1, identity_v1, short_name
    from canarium.render import pod, runtime
    from canarium.render.errors import RuntimeInvalid
    from canarium_cli.lint.runtimes import FETCHER, namespace_of

    model, namespace = selected.model, namespace_of(selected.model)
    catalog = with_files(catalog, selected.documents, namespace)
    revision = short_name(digest_v1(identity_v1(model.spec)))
    try:
        server = runtime.server(model.name, namespace, model.spec, catalog.choose(model.spec))
        template = pod.pod_template(model.name, revision, model.spec, server, FETCHER)
    except RuntimeInvalid as error:
        raise usage(f"{file}: {error}.") from None
    (write_json if output == "json" else write_yaml)(template)


def _explain(catalog: Catalog, manifest: Chosen, file: str, output: str, color: str) -> None:
    from canarium.render.errors import RuntimeInvalid
    from canarium_cli.lint.runtimes import namespace_of

    catalog = with_files(catalog, manifest.documents, namespace_of(manifest.model))
    try:
        selected = catalog.choose(manifest.model.spec)
    except RuntimeInvalid as error:
        raise usage(f"{file}: {error}.") from None
    why = _reason(manifest.model.spec, selected)
    if output == "text":
        write(list(_explanation(manifest.model.name, selected, why)), color)
        return
    body = {
        "model": manifest.model.name,
        "runtime": selected.name if selected else None,
        "kind": selected.kind if selected else None,
        "reason": why,
    }
    (write_json if output == "json" else write_yaml)(body)


def _reason(spec: Mapping[str, Any], selected: RuntimeTemplate | None) -> str:
    own, model = spec.get("runtime") or {}, spec.get("model") or {}
    if selected is None:
        return f"spec.runtime.image is {own.get('image')}, so no runtime is used."
    if own.get("name"):
        return f"spec.runtime.name names it; it is a {selected.kind} runtime."
    version = f" {model['formatVersion']}" if model.get("formatVersion") else ""
    return (
        f"It serves format {model.get('format')}{version} with the highest priority of the "
        f"narrowest scope that does ({selected.kind})."
    )


def _explanation(model: str, selected: RuntimeTemplate | None, why: str) -> Iterator[Line]:
    name = str(selected) if selected else "its own image"
    yield line(Span(f"{model}: {name}", Style.TITLE))
    yield line(why)
