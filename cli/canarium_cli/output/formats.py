"""Machine-readable output: JSON, YAML and names."""

from __future__ import annotations

import json
from typing import Any

import click


def write_json(value: Any) -> None:
    """Prints JSON, indented as kubectl does."""
    click.echo(json.dumps(value, indent=4, ensure_ascii=False))


def write_yaml(value: Any) -> None:
    """Prints YAML with the fields in their order."""
    import yaml

    click.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True).rstrip())


def write_name(name: str) -> None:
    """Prints a model as `kubectl get -o name` does."""
    click.echo(f"modeldeployment.canarium.dev/{name}")
