"""Images as kubelets resolved them: container to digests, as records keep them.

A tag can move while a version serves: a pod that is created later then runs another image. So every
digest that pods of a revision reported is kept; `core.bookkeeping.images` decides what is noted
where.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

#: Container → its image, or images.
Images = Mapping[str, list[str]]


def read(text: str | None) -> Images:
    """Returns the images that a record keeps of its own revision."""
    return parsed(_json(text))


def of(revision: str | None, text: str | None) -> Images:
    """Returns the images that a traffic record keeps of one revision."""
    told = _json(text)
    return parsed(told.get(revision) if isinstance(told, dict) else None)


def parsed(told: Any) -> Images:
    """Returns images from JSON; anything else is ignored."""
    try:
        return {name: [x] if isinstance(x, str) else list(map(str, x)) for name, x in told.items()}
    except (TypeError, AttributeError):
        return {}


def plain(images: Images) -> dict[str, str | list[str]]:
    """Returns images as JSON has them."""
    return {name: all_[0] if len(all_) == 1 else all_ for name, all_ in sorted(images.items())}


def merged(several: Iterable[Images]) -> Images:
    """Returns all of them, each digest once, by whatever name it was pulled."""
    found: dict[str, list[str]] = {}
    for images in several:
        for name, all_ in images.items():
            known = found.setdefault(name, [])
            for image in all_:
                if image.rpartition("@")[2] not in (x.rpartition("@")[2] for x in known):
                    known.append(image)
    return found


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return None
