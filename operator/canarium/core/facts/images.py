"""Images as kubelets resolved them: every digest that a version's pods have answered with.

A tag can move while a version serves; a pod that is made anew then runs another image. What a
version begins with is told by the write that gives it traffic, and kept as its periods are
(`served`); only what its pods run later is noted on its record for itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from canarium.core.context.context import RolloutContext
    from canarium.core.facts.gateways import Route
    from canarium.core.facts.observed import Service
    from canarium.core.facts.revision import Record

#: Container → its image, or images.
Images = Mapping[str, list[str]]


def read(text: str | None) -> Images:
    """What a record keeps of its own revision."""
    return given(_json(text))


def of(revision: str | None, text: str | None) -> Images:
    """What the witness keeps of one of its revisions."""
    told = _json(text)
    return given(told.get(revision) if isinstance(told, dict) else None)


def given(told: Any) -> Images:
    """Images as they are written; what somebody else wrote there is passed over."""
    try:
        return {name: [x] if isinstance(x, str) else list(map(str, x)) for name, x in told.items()}
    except (TypeError, AttributeError):
        return {}


def plain(images: Images) -> dict[str, str | list[str]]:
    """Images as they are written."""
    return {name: all_[0] if len(all_) == 1 else all_ for name, all_ in sorted(images.items())}


def merged(several: Iterable[Images]) -> Images:
    """All of them, each digest once, by whatever name it was pulled."""
    found: dict[str, list[str]] = {}
    for images in several:
        for name, all_ in images.items():
            known = found.setdefault(name, [])
            for image in all_:
                if image.rpartition("@")[2] not in (x.rpartition("@")[2] for x in known):
                    known.append(image)
    return found


def running(ctx: RolloutContext, revision: str, *, whole: bool = False) -> Images:
    """What the pods of `revision` that can answer run now; with `whole`, what all of them run."""
    pods = (p for p in ctx.observed.pods_of(revision) if whole or p.serves)
    return merged({name: [image]} for pod in pods for name, image in pod.images)


def named(ctx: RolloutContext, revisions: Iterable[str | None]) -> str | None:
    """What the witness is to tell of the revisions that it names."""
    known = {
        revision: plain(merged((_known(ctx, revision), running(ctx, revision))))
        for revision in revisions
        if revision
    }
    told = {revision: images for revision, images in known.items() if images}
    return json.dumps(told, sort_keys=True) if told else None


def new(ctx: RolloutContext, record: Record) -> str | None:
    """What its record is to keep once its pods run an image that is told nowhere yet."""
    known = _known(ctx, record.revision)
    now = running(ctx, record.revision)
    # A container that is not known yet was none when this was noted by an operator of before.
    found = merged((known, {name: all_ for name, all_ in now.items() if name in known}))
    return json.dumps(plain(found)) if found != known else None


def last(ctx: RolloutContext, record: Record) -> str | None:
    """What a record is to keep of a version that ends; None when that is nothing new."""
    own = read(record.images)
    every = running(ctx, record.revision, whole=True)
    found = merged((own, _known(ctx, record.revision), every))
    return json.dumps(plain(found)) if found != own else None


def _known(ctx: RolloutContext, revision: str) -> Images:
    record = ctx.observed.record(revision)
    return merged((read(record.images if record else None), _witnessed(ctx.witness, revision)))


def _witnessed(witness: Service | Route | None, revision: str) -> Images:
    return of(revision, witness.traffic.images if witness else None)


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return None
