"""Who owns an object, and when a model may adopt one without an owner (R20, R24).

Deleting a model with `--cascade=orphan` removes the owner from its children and leaves them
running. A model of the same name then adopts them automatically, if

* no controller owns the object, and it is not being deleted;
* it has our labels for this very model, and the name that we would give it;
* our field manager wrote it, according to `managedFields`.

Any other object, restored from a backup or created by another tool, is adopted only once a user
annotates it with `canarium.dev/adopt`, whose value is the model's name.
"""

from __future__ import annotations

from sys import intern
from typing import Any

from canarium import FIELD_MANAGER, KIND
from canarium.render import labels

Raw = dict[str, Any]
#: Finalizers of the garbage collector: how an object is deleted, not who keeps it.
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


def controller(raw: Raw) -> str | None:
    """Returns the UID of the owner that controls an object, if any."""
    owners = raw["metadata"].get("ownerReferences") or ()
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)


def foreign_finalizers(meta: Raw) -> tuple[str, ...]:
    """Returns the finalizers that block the deletion of an object, without those of the garbage
    collector; none while it is not being deleted."""
    if "deletionTimestamp" not in meta:
        return ()
    finalizers = meta.get("finalizers") or ()
    return tuple(sorted(intern(one) for one in finalizers if one not in (FOREGROUND, ORPHAN)))


def controller_name(raw: Raw) -> str | None:
    """Returns `Kind/name` of the owner that controls an object, if any."""
    owners = raw["metadata"].get("ownerReferences") or ()
    owner = next((one for one in owners if one.get("controller")), None)
    return f"{owner.get('kind')}/{owner.get('name')}" if owner else None


def is_inherited(raw: Raw, model: str) -> bool:
    """Returns whether a deleted model of this name may still control the object: the garbage
    collector is about to delete it, or to remove the owner."""
    owners = raw["metadata"].get("ownerReferences") or ()
    owner: Raw = next((one for one in owners if one.get("controller")), {})
    return owner.get("kind") == KIND and owner.get("name") == model


def is_adoptable(raw: Raw, model: str) -> bool:
    """Returns whether the model of this name may adopt the object."""
    meta = raw["metadata"]
    if controller(raw) is not None or "deletionTimestamp" in meta:
        return False
    if (meta.get("annotations") or {}).get(labels.ADOPT) == model:
        return True
    marks = meta.get("labels") or {}
    revision = marks.get(labels.REVISION)
    name = f"{model}-{revision}" if revision else model
    return (
        labels.of(model, revision).items() <= marks.items()
        and meta["name"] == name
        and any(
            entry.get("manager") == FIELD_MANAGER and "f:metadata" in (entry.get("fieldsV1") or {})
            for entry in meta.get("managedFields") or ()
        )
    )
