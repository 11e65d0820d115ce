"""Which images of a revision are noted, and where.

What a version begins with is noted on the traffic record, by the write that gives it traffic. Only
what its pods run later is noted on its own ControllerRevision.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from canarium.core.context.context import RolloutContext
from canarium.core.facts.images import Images, merged, of, plain, read
from canarium.core.facts.revision import Record


def running(ctx: RolloutContext, revision: str, *, whole: bool = False) -> Images:
    """What the pods of `revision` that can answer run now; with `whole`, what all of them run."""
    pods = (p for p in ctx.observed.pods_of(revision) if whole or p.serves)
    return merged({name: [image]} for pod in pods for name, image in pod.images)


def by_revision(ctx: RolloutContext, revisions: Iterable[str | None]) -> str | None:
    """What the witness is to tell of the revisions that it names."""
    known = {
        revision: plain(merged((_known(ctx, revision), running(ctx, revision))))
        for revision in revisions
        if revision
    }
    told = {revision: images for revision, images in known.items() if images}
    return json.dumps(told, sort_keys=True) if told else None


def to_note(ctx: RolloutContext, record: Record) -> str | None:
    """Returns the images to store on a record once its pods run one that is stored nowhere yet."""
    known = _known(ctx, record.revision)
    now = running(ctx, record.revision)
    # Skip containers that the record does not list: an older operator wrote it.
    found = merged((known, {name: all_ for name, all_ in now.items() if name in known}))
    return json.dumps(plain(found)) if found != known else None


def final(ctx: RolloutContext, record: Record) -> str | None:
    """Returns the images to store of a version that ends; None if there is nothing new."""
    own = read(record.images)
    every = running(ctx, record.revision, whole=True)
    found = merged((own, _known(ctx, record.revision), every))
    return json.dumps(plain(found)) if found != own else None


def _known(ctx: RolloutContext, revision: str) -> Images:
    record = ctx.observed.record(revision)
    return merged(
        (read(record.images if record else None), of(revision, ctx.traffic.record.images))
    )
