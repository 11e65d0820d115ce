"""`ship`, `rollback` and `restart`: the changed manifest to commit, or the change itself.

What is printed is the default, since in most clusters the spec belongs to a repository: a change
that only the cluster has would be reverted by the tool that applies it from there.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from canarium.core.facts.revision import QUARANTINED
from canarium.view.objects import REVISION_LABEL, Objects, Raw, annotation, label, part, text
from canarium_cli.changes import Spec, gitops_tool, manifest, patch, restarted, returned, shipped
from canarium_cli.connection import Connection, Function, connected
from canarium_cli.exits import CliError, Exit, usage
from canarium_cli.output.formats import write_yaml
from canarium_cli.output.terminal import echo
from canarium_cli.reads import MODELS, model, records
from canarium_cli.verbs.commands import MANAGER
from canarium_cli.verbs.diff import record_of

if TYPE_CHECKING:
    from canarium_cli.manifests.finding import Finding


def _writing(verb: Function) -> Function:
    """Gives a verb the options with which it writes."""
    verb = click.option("-y", "--yes", is_flag=True, help="With --apply: do not ask.")(verb)
    verb = click.option(
        "--dry-run", is_flag=True, help="With --apply: let the server check it; change nothing."
    )(verb)
    return click.option(
        "--apply", is_flag=True, help="Change the model. Default: print the manifest to commit."
    )(verb)


@click.command("ship")
@click.argument("name")
@click.option("--uri", default="", metavar="URI", help="New spec.model.uri.")
@click.option("--version", default="", metavar="VERSION", help="New spec.model.version.")
@click.option("--digest", default="", metavar="sha256:…", help="New spec.model.digest.")
@click.option("--image", default="", metavar="IMAGE", help="New spec.runtime.image.")
@_writing
@connected
def ship_command(
    connection: Connection,
    name: str,
    uri: str,
    version: str,
    digest: str,
    image: str,
    apply: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Print the manifest of a model with a new version, to commit it; or apply it with --apply.

    Exit code 7: the model was changed in the meantime, or the question was answered with no.
    """
    if not (uri or version or digest or image):
        raise usage("Nothing to change: pass --uri, --version, --digest or --image.")
    now = model(connection.kubectl, name)
    spec = shipped(now, image, uri=uri, version=version, digest=digest)
    if part(now, "spec", "model").get("digest") and "digest" not in spec["model"]:
        echo("Note: spec.model.digest is removed: it is that of the old URI.", err=True)
    if not apply:
        _check(now, spec)
    _finish(connection, now, spec, apply, dry_run, yes)


@click.command("rollback")
@click.argument("name")
@click.option(
    "--to", "word", required=True, metavar="REV", help="A revision, its number or its version."
)
@_writing
@connected
def rollback_command(
    connection: Connection, name: str, word: str, apply: bool, dry_run: bool, yes: bool
) -> None:
    """Print the manifest of a model with the spec of an earlier revision, or apply it.

    Model, runtime, resources, pod template and restart token are those of the revision; scaling,
    traffic and rollout settings stay as they are. Exit code 7: the model was changed in the
    meantime, or the question was answered with no.
    """
    now = model(connection.kubectl, name)
    record = record_of(Objects.of(now, records(connection.kubectl, name)), word)
    revision = label(record, REVISION_LABEL)
    spec = returned(now, record)
    if spec is None:
        raise CliError(
            f"The record of revision {revision} no longer has the spec that it was made from. "
            "Apply it from your repository.",
            Exit.FAILED,
        )
    if annotation(record, "canarium.dev/verdict") == QUARANTINED:
        echo(
            f"Warning: revision {revision} failed. It is not tried again until you run "
            f"`kubectl modeldeploy retry {name}`.",
            err=True,
        )
    _finish(connection, now, spec, apply, dry_run, yes)


@click.command("restart")
@click.argument("name")
@_writing
@connected
def restart_command(
    connection: Connection, name: str, apply: bool, dry_run: bool, yes: bool
) -> None:
    """Print the manifest of a model with a new spec.restartToken, or apply it.

    The token makes a new revision of the same model, with the runtime as it is now; it is rolled
    out in steps as any other. Exit code 7: the model was changed in the meantime, or the question
    was answered with no.
    """
    now = model(connection.kubectl, name)
    token = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    _finish(connection, now, restarted(now, token), apply, dry_run, yes)


def _finish(
    connection: Connection, now: Raw, spec: Spec, apply: bool, dry_run: bool, yes: bool
) -> None:
    if (dry_run or yes) and not apply:
        raise usage("--dry-run and --yes belong to --apply; without it, nothing is changed.")
    name = text(part(now, "metadata"), "name")
    if spec == part(now, "spec"):
        echo(f"{name} has this spec already: nothing to change.", err=True)
        if apply:
            return
    if not apply:
        write_yaml(manifest(now, spec))
        return
    tool = gitops_tool(now)
    if tool:
        echo(
            f"Warning: {tool} applies this model from elsewhere and will revert the change unless "
            "you make it there too.",
            err=True,
        )
    if not (dry_run or yes):
        _confirm(now, spec)
    words = ["patch", MODELS, name, "--type=json", f"--patch={patch(now, spec)}"]
    mode = ["--dry-run=server"] if dry_run else []
    try:
        connection.kubectl.run(*words, f"--field-manager={MANAGER}", *mode)
    except CliError as error:
        if "testing path" in error.message or "test failed" in error.message.lower():
            raise CliError(
                f"{name} was changed by another client in the meantime, so nothing was written. "
                "Try again.",
                Exit.NOT_ACCEPTED,
            ) from None
        raise
    if dry_run:
        echo(f"{name}: the server accepts the change; nothing was changed (dry run).")
    else:
        echo(f"{name}: changed. Follow it with `kubectl modeldeploy status {name}`.")


def _check(now: Raw, spec: Spec) -> None:
    """Raises CliError for a manifest that the API server would reject because of the change."""
    before = {f.message for f in _faults(manifest(now, dict(part(now, "spec"))))}
    new = [f for f in _faults(manifest(now, spec)) if f.message not in before]
    if new:
        raise usage(f"{new[0].path}: {new[0].message}")


def _faults(body: dict[str, Any]) -> list[Finding]:
    import yaml

    from canarium_cli.lint import schema, structure
    from canarium_cli.manifests.finding import Level
    from canarium_cli.manifests.reading import parsed

    documents, _ = parsed("manifest", yaml.safe_dump(body))
    findings = [f for d in documents for f in (*schema.check(d), *structure.check(d))]
    return [finding for finding in findings if finding.level is Level.ERROR]


def _confirm(now: Raw, spec: Spec) -> None:
    """Asks at a terminal. Raises CliError when the answer is no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    changed = sorted(x for x in {*spec, *part(now, "spec")} if spec.get(x) != now["spec"].get(x))
    name = text(part(now, "metadata"), "name")
    fields = ", ".join(f"spec.{x}" for x in changed)
    echo(f"{name}: changes {fields}, which starts a rollout", err=True)
    if not click.confirm("Continue?", err=True):
        raise CliError("Not confirmed, so nothing was changed.", Exit.NOT_ACCEPTED)
