"""`init`: a manifest to start from."""

from __future__ import annotations

from typing import Any

import click

from canarium.api.defaults import STRATEGY
from canarium_cli.exits import usage
from canarium_cli.output.formats import write_yaml
from canarium_cli.output.terminal import echo

_STRATEGIES = click.Choice(["Canary", "BlueGreen", "Recreate"])


@click.command("init")
@click.argument("name", default="my-model")
@click.option("--uri", metavar="URI", help="Where the model is, such as s3://bucket/path.")
@click.option("--format", "form", metavar="FORMAT", help="Its format, such as sklearn.")
@click.option("--runtime", metavar="NAME", help="A runtime by name; default: chosen by --format.")
@click.option("--strategy", type=_STRATEGIES, default=STRATEGY)
@click.option("--replicas", type=click.IntRange(0, 10_000), default=3)
def init_command(
    name: str, uri: str | None, form: str | None, runtime: str | None, strategy: str, replicas: int
) -> None:
    """Print the manifest of a ModelDeployment to edit and apply.

    The result has no findings of `lint`. Without --format and --runtime it is a scikit-learn model.
    """
    body = manifest(name, uri, form, runtime, strategy, replicas)
    _check(body)
    write_yaml(body)


def manifest(
    name: str, uri: str | None, form: str | None, runtime: str | None, strategy: str, replicas: int
) -> dict[str, Any]:
    """Returns the manifest with a gate, an analysis where the server is measured, and a bake."""
    if not (form or runtime):
        form = "sklearn"
    model = {"uri": uri or f"s3://models/{name}/1", "format": form, "version": "1"}
    rollout: dict[str, Any] = {"strategy": strategy}
    if strategy == STRATEGY:
        rollout["steps"] = [
            {"weight": 10, "pause": "5m"},
            {"weight": 50, "pause": "5m"},
        ]
    rollout["bakeTime"] = "10m"
    spec = {
        "model": {key: value for key, value in model.items() if value},
        **({"runtime": {"name": runtime}} if runtime else {}),
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
        "scaling": {"replicas": replicas},
        "rollout": rollout,
    }
    checks = _checks(spec)
    if checks and strategy != "Recreate":
        rollout["analysis"] = {"interval": "15s", "minSamples": 100, "checks": checks}
    return {
        "apiVersion": "canarium.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": spec,
    }


def _checks(spec: dict[str, Any]) -> list[dict[str, str]]:
    """Checks of what the model's server measures; none where the runtime is not a built-in one."""
    from canarium.api.effective_metrics import effective_metrics
    from canarium.core.evidence.measures import Missing
    from canarium.render.errors import RuntimeInvalid
    from canarium.render.runtime_catalog import Catalog
    from canarium.signals.presets import measure_of

    try:
        chosen = Catalog().choose(spec)
    except RuntimeInvalid:
        return []
    metrics = effective_metrics(chosen.spec.get("metrics") if chosen else None)
    listed = []
    if not isinstance(measure_of("ErrorRate", metrics), Missing):
        listed.append({"name": "errors", "metric": "ErrorRate", "max": "1%"})
    if not isinstance(measure_of("LatencyP99", metrics), Missing):
        listed.append({"name": "latency", "metric": "LatencyP99", "maxRatioToStable": "1.5"})
    return listed


def _check(body: dict[str, Any]) -> None:
    """Raises CliError for arguments that make an invalid manifest."""
    import yaml

    from canarium_cli.lint.linter import lint
    from canarium_cli.manifests.finding import Level
    from canarium_cli.manifests.reading import parsed

    documents, findings = parsed("manifest", yaml.safe_dump(body))
    for finding in (*findings, *lint(documents)):
        if finding.level is Level.ERROR:
            raise usage(f"{finding.path}: {finding.message}")
        echo(f"Warning: {finding.path}: {finding.message}", err=True)
