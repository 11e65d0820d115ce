"""The command line `canarium record NAME`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from canarium.kube.http import Client


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `canarium record`."""
    parser.add_argument("name", help="name of the ModelDeployment")
    parser.add_argument("-n", "--namespace", help="namespace; default: that of the context")
    parser.add_argument("--revision", help="only this revision; default: all in the history")
    parser.add_argument("--kubeconfig", help="path of a kubeconfig; default: in-cluster config")
    parser.add_argument("--context", help="context of the kubeconfig")


def main(options: argparse.Namespace) -> int:
    """Prints a JSON statement per line, the newest revision first; returns the exit code."""
    return asyncio.run(_main(options))


async def _main(options: argparse.Namespace) -> int:
    from canarium import GROUP
    from canarium.audit.statement import served, statement
    from canarium.kube import resources
    from canarium.kube.errors import ApiError
    from canarium.kube.http import Client
    from canarium.kube.kubeconfig import default_namespace

    namespace = options.namespace or default_namespace(options.kubeconfig, options.context)
    async with Client.connect(options.kubeconfig, options.context) as client:
        try:
            model = await client.get(resources.MODELS, namespace, options.name)
            selector = f"{GROUP}/model={options.name}"
            found = await client.list(resources.RECORDS, namespace, labelSelector=selector)
            witness = await _witness(client, model)
        except ApiError as error:
            print(f"{namespace}/{options.name}: {error.message}", file=sys.stderr)
            return 1
    records: list[dict[str, Any]] = sorted(found["items"], key=lambda r: -int(r["revision"]))
    history = (model.get("status") or {}).get("history") or []
    known = served(records, witness, history)
    if options.revision:
        label = f"{GROUP}/revision"
        records = [r for r in records if r["metadata"]["labels"].get(label) == options.revision]
        if not records:
            print(f"{options.name} has no revision {options.revision}", file=sys.stderr)
            return 1
    for record in records:
        print(json.dumps(statement(record, history, options.name, known), ensure_ascii=False))
    return 0


async def _witness(client: Client, model: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the object with the current traffic record; None before the first version."""
    from canarium.kube import resources
    from canarium.kube.errors import ApiError

    routes = (resources.HTTP_ROUTES, resources.GRPC_ROUTES, resources.VIRTUAL_SERVICES)
    route = (model.get("status") or {}).get("route") or {}
    kind = next((kind for kind in routes if kind.kind == route.get("kind")), resources.SERVICES)
    meta = model["metadata"]
    try:
        return await client.get(kind, meta["namespace"], meta["name"])
    except ApiError as error:
        if error.not_found:
            return None
        raise
