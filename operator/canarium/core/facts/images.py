"""Images as kubelets resolved them: container to digests, as records store them.

A tag can move while a version serves: a pod that is created later then runs another image. So every
digest that pods of a revision reported is recorded; `core.bookkeeping.images` decides where.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

#: Container → its images.
Images = Mapping[str, list[str]]
#: Containers and images of each that are read from an annotation: users can edit it, and it is read
#: in every decision (R31).
_CONTAINERS, _IMAGES = 64, 256


def parse_images(text: str | None) -> Images:
    """Returns the images that a revision's record stores (JSON); none if the text is invalid."""
    return images_from_json(parse_json(text))


def parse_images_of(revision: str | None, text: str | None) -> Images:
    """Returns the images of one revision from a traffic record (JSON by revision)."""
    value = parse_json(text)
    return images_from_json(value.get(revision) if isinstance(value, dict) else None)


def images_from_json(value: Any) -> Images:
    """Returns images from a JSON value; none if it has another form."""
    if not isinstance(value, dict):
        return {}
    images = {}
    for name, one in islice(value.items(), _CONTAINERS):
        several = [one] if isinstance(one, str) else one
        if not isinstance(several, list) or not all(isinstance(x, str) for x in several):
            return {}
        images[name] = several[-_IMAGES:]
    return images


def images_to_json(images: Images) -> dict[str, str | list[str]]:
    """Returns images as a JSON value: a single image is a string, several are a list."""
    return {name: all_[0] if len(all_) == 1 else all_ for name, all_ in sorted(images.items())}


def merged(several: Iterable[Images]) -> Images:
    """Returns the union of `several`: each digest once, under the name that was seen first."""
    union: dict[str, dict[str, str]] = {}
    for images in several:
        for name, all_ in images.items():
            listed = union.setdefault(name, {})
            for image in all_:
                listed.setdefault(image.rpartition("@")[2], image)
    return {name: list(listed.values()) for name, listed in union.items()}


def parse_json(text: str | None) -> Any:
    """Returns the value of an annotation (JSON); None if it is invalid or nested too deeply."""
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
