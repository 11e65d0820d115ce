"""Objects of real models at one moment, as `kubectl get -o json` printed them during the demo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from canarium.core.times import parse
from canarium.view.objects import Objects

_FOLDER = Path(__file__).parent / "objects"
SAMPLES = tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))


def sample(name: str) -> tuple[list[dict[str, Any]], float]:
    """The objects of a sample, and the moment at which they were read in POSIX seconds."""
    read = json.loads((_FOLDER / f"{name}.json").read_text())
    return read["items"], parse(read["now"])


def objects(name: str) -> tuple[Objects, float]:
    """The same, sorted by kind."""
    items, now = sample(name)
    return Objects.from_items(items), now
