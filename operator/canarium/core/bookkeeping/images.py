"""Where the images of a revision are recorded.

The images with which a version starts are stored in the traffic record, by the write that moves
traffic to it. Only images that its pods run later are stored on its ControllerRevision.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from canarium.core.context.context import RolloutContext
from canarium.core.facts.images import (
    Images,
    images_to_json,
    merged,
    parse_images,
    parse_images_of,
)
from canarium.core.facts.revision import Record


def running(ctx: RolloutContext, revision: str, *, whole: bool = False) -> Images:
    """Returns the images of the serving pods of `revision`; with `whole`, of all its pods."""
    pods = (p for p in ctx.observed.pods_of(revision) if whole or p.serves)
    return merged({name: [image]} for pod in pods for name, image in pod.images)


def by_revision(ctx: RolloutContext, revisions: Iterable[str | None]) -> str | None:
    """Returns the images of `revisions` for the traffic record (JSON); None without any."""
    by_name = {
        revision: images_to_json(merged((_recorded(ctx, revision), running(ctx, revision))))
        for revision in revisions
        if revision
    }
    nonempty = {revision: images for revision, images in by_name.items() if images}
    return json.dumps(nonempty, sort_keys=True) if nonempty else None


def new_images(ctx: RolloutContext, record: Record) -> str | None:
    """Returns the images to store on a record (JSON); None if its pods run no unrecorded image."""
    recorded = _recorded(ctx, record.revision)
    current = running(ctx, record.revision)
    # Skip containers that the record does not list, such as injected ones.
    union = merged((recorded, {name: all_ for name, all_ in current.items() if name in recorded}))
    return json.dumps(images_to_json(union)) if union != recorded else None


def final(ctx: RolloutContext, record: Record) -> str | None:
    """Returns the images to store of a failed version (JSON); None if there is nothing new."""
    stored = parse_images(record.images)
    every = running(ctx, record.revision, whole=True)
    union = merged((stored, _recorded(ctx, record.revision), every))
    return json.dumps(images_to_json(union)) if union != stored else None


def _recorded(ctx: RolloutContext, revision: str) -> Images:
    record = ctx.observed.record(revision)
    return merged(
        (
            parse_images(record.images if record else None),
            parse_images_of(revision, ctx.traffic.record.images),
        )
    )
