"""A bench fills a cluster and breaks what is in it: only a simulated sandbox will do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.api import Api
from sandbox.cluster import Sandbox, sandboxes
from sandbox.options import Mode

_MARK = ("type", "kwok")


class NoSandbox(RuntimeError):
    """The cluster is not one that a bench may use; the text states why."""


def simulated(kubeconfig: Path) -> Sandbox:
    """The simulated sandbox that `kubeconfig` belongs to. Raises NoSandbox.

    It is one when the file is the very file that a sandbox of this user wrote, that sandbox is of
    the kind `simulated` and its API server runs here, and every node bears kwok's label.
    """
    sandbox = next((s for s in sandboxes() if _same(s.kubeconfig, kubeconfig)), None)
    if sandbox is None:
        raise NoSandbox(
            f"{kubeconfig} was not written by a sandbox of yours: the bench creates one, "
            "or takes one that `python -m sandbox up --mode simulated` has started"
        )
    if sandbox.mode is not Mode.SIMULATED:
        raise NoSandbox(
            f"{sandbox.options.name} is a sandbox of kind {sandbox.mode}, not simulated"
        )
    if not sandbox.part("apiserver").alive:
        raise NoSandbox(f"the API server of sandbox {sandbox.options.name} does not run")
    strangers = not_simulated(Api(kubeconfig).get("/api/v1/nodes")["items"])
    if strangers:
        raise NoSandbox(f"nodes without the label type=kwok: {', '.join(strangers)}")
    return sandbox


def not_simulated(nodes: list[dict[str, Any]]) -> list[str]:
    """Names of the nodes that are not kwok's."""
    name, value = _MARK
    return [n["metadata"]["name"] for n in nodes if n["metadata"]["labels"].get(name) != value]


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
