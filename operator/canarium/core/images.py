"""Images as kubelets resolved them: every digest that a version's pods have answered with.

A tag can move while a version serves; a pod that is made anew then runs another image.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from canarium.core.revision import Record
from canarium.core.situation import Situation


def new(s: Situation, record: Record) -> str | None:
    """The images of a record with those that its pods have besides, as it keeps them (container →
    image, or images); None when there are no others.

    The first are noted before there is any traffic, and later ones of the same containers only: a
    newer operator rewrites no record of what already serves.
    """
    entering = record.revision == s.target != s.stable and not s.progress.weight
    known = _read(record.images)
    if known is None or (not known and not entering):
        return None
    first, found = not known, {name: list(images) for name, images in known.items()}
    for pod in s.observed.pods_of(record.revision):
        for name, image in pod.images if pod.serves else ():
            images = found.setdefault(name, []) if first else found.get(name)
            if images is not None and _digest(image) not in map(_digest, images):
                images.append(image)
    if found == known:
        return None
    kept = {name: images[0] if len(images) == 1 else images for name, images in found.items()}
    return json.dumps(kept, sort_keys=True)


def _read(text: str | None) -> Mapping[str, list[str]] | None:
    """None when somebody wrote something else there."""
    try:
        found = json.loads(text or "{}")
        return {name: [x] if isinstance(x, str) else list(map(str, x)) for name, x in found.items()}
    except (ValueError, TypeError, AttributeError):
        return None


def _digest(image: str) -> str:
    """What tells an image apart, by whatever name it was pulled."""
    return image.rpartition("@")[2]
