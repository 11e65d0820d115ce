"""Selects series from a metrics page, in a worker process."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

from canarium.core.evidence.measures import Selector
from canarium.core.evidence.windows import Labels, Values
from canarium.signals.access import NamespaceAccess


async def parse(
    access: NamespaceAccess, page: bytes, selectors: Sequence[Selector]
) -> dict[str, Values]:
    """Returns the values of each selector by series. Raises EvaluationError.

    Of a series, only the bound of its bucket and a digest of its other labels are kept: they are
    enough to identify it.
    """
    wanted = [{"key": s.key, "name": s.name, "labels": s.labels} for s in selectors]
    result, parts = await access.evaluate("metrics", page, selectors=wanted)
    values = iter(struct.unpack(f"<{len(parts[0]) // 8}d", parts[0]))
    return {
        key: {_labels(bound, digest): next(values) for bound, digest in series}
        for key, series in result["series"].items()
    }


@lru_cache(maxsize=16_384)
def _labels(bound: str | None, digest: str) -> Labels:
    le = (("le", bound),) if bound is not None else ()
    return (*le, ("#", digest)) if digest else le
