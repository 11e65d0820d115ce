"""Images as kubelets resolved them: container to digests, as records store them.

A tag can move while a version serves: a pod that is created later then runs another image. So every
digest that pods of a revision reported is recorded; `core.bookkeeping.images` decides where.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

#: Container → its images.
Images = Mapping[str, list[str]]


def parse_images(text: str | None) -> Images:
    """Returns the images that a revision's record stores (JSON); none if the text is invalid."""
    return images_from_json(_json(text))


def parse_images_of(revision: str | None, text: str | None) -> Images:
    """Returns the images of one revision from a traffic record (JSON by revision)."""
    value = _json(text)
    return images_from_json(value.get(revision) if isinstance(value, dict) else None)


def images_from_json(value: Any) -> Images:
    """Returns images from a JSON value; none if it has another form."""
    try:
        return {name: [x] if isinstance(x, str) else list(map(str, x)) for name, x in value.items()}
    except (TypeError, AttributeError):
        return {}


def images_to_json(images: Images) -> dict[str, str | list[str]]:
    """Returns images as a JSON value: a single image is a string, several are a list."""
    return {name: all_[0] if len(all_) == 1 else all_ for name, all_ in sorted(images.items())}


def merged(several: Iterable[Images]) -> Images:
    """Returns the union of `several`: each digest once, under the name that was seen first."""
    union: dict[str, list[str]] = {}
    for images in several:
        for name, all_ in images.items():
            listed = union.setdefault(name, [])
            for image in all_:
                if image.rpartition("@")[2] not in (x.rpartition("@")[2] for x in listed):
                    listed.append(image)
    return union


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return None
