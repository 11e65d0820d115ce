"""The command line `canarium record NAME`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `canarium record`."""
    parser.add_argument("name", help="the ModelDeployment")
    parser.add_argument("-n", "--namespace", default="default")
    parser.add_argument("--revision", help="one revision; default: all in the history")
    parser.add_argument("--kubeconfig", help="default: the cluster around this process")
    parser.add_argument("--context")


def main(options: argparse.Namespace) -> int:
    """Prints a JSON statement per line, the newest revision first; the exit code."""
    return asyncio.run(_main(options))


async def _main(options: argparse.Namespace) -> int:
    from canarium import GROUP
    from canarium.kube import kinds
    from canarium.kube.faults import ApiError
    from canarium.kube.transport import Client
    from canarium.record.statement import statement

    async with Client.connect(options.kubeconfig, options.context) as client:
        try:
            model = await client.get(kinds.MODELS, options.namespace, options.name)
            selector = f"{GROUP}/model={options.name}"
            found = await client.list(kinds.RECORDS, options.namespace, labelSelector=selector)
        except ApiError as error:
            print(f"{options.namespace}/{options.name}: {error.message}", file=sys.stderr)
            return 1
    records: list[dict[str, Any]] = sorted(found["items"], key=lambda r: -int(r["revision"]))
    if options.revision:
        label = f"{GROUP}/revision"
        records = [r for r in records if r["metadata"]["labels"].get(label) == options.revision]
        if not records:
            print(f"{options.name} has no revision {options.revision}", file=sys.stderr)
            return 1
    history = (model.get("status") or {}).get("history") or []
    for record in records:
        print(json.dumps(statement(record, history, options.name), ensure_ascii=False))
    return 0
