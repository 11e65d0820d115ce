"""Defers the parts of the package `kubernetes` that no process of ours uses.

`import kubernetes` imports all of its parts: the synchronous configuration with its OAuth
libraries, websockets, the dynamic client, and more, about 9 MB that stay in memory (decision
0043). We use the asynchronous client and its configuration; kopf uses two types. The other parts
are registered as usual, and each is executed when an attribute of it is read for the first time.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_PARTS = ("dynamic", "leaderelection", "stream", "utils", "watch")
#: Names of the deferred modules.
UNUSED = frozenset(
    {f"kubernetes.{part}" for part in (*_PARTS, "config", "informer")}
    | {f"kubernetes.aio.{part}" for part in _PARTS}
)


class _DeferringFinder(MetaPathFinder):
    """Finds the modules of `UNUSED` and gives them a loader that waits for the first access."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in UNUSED:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and spec.loader:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


def defer_unused_parts() -> None:
    """Defers the parts of `kubernetes` in `UNUSED`; has no effect on those imported before."""
    if not any(isinstance(finder, _DeferringFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _DeferringFinder())
