"""A revision's record as an in-toto statement: what served, from what, and what became of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from canarium import GROUP

TYPE = "https://in-toto.io/Statement/v1"
PREDICATE = f"https://{GROUP}/attestation/revision/v1alpha1"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


def statement(
    record: Mapping[str, Any], history: Iterable[Mapping[str, Any]], model: str
) -> dict[str, Any]:
    """The statement of one ControllerRevision of `model`; `history` is the status', newest first.

    Its subjects are the model's bytes and the images, each where its digest is known; without
    any, the record itself by the digest of the spec that it was made from.
    """
    meta, data = record["metadata"], record["data"]
    notes = {
        key.removeprefix(f"{GROUP}/"): value
        for key, value in (meta.get("annotations") or {}).items()
        if key.startswith(f"{GROUP}/")
    }
    revision = meta["labels"][f"{GROUP}/revision"]
    wanted = data.get("model") or {}
    images = _json(notes.get("images")) or {}
    outcomes = list(history)
    verdict = {"verdict": notes.get("verdict"), "failure": _json(notes.get("failure"))}
    facts = {
        "namespace": meta["namespace"],
        "model": model,
        "revision": revision,
        "number": record["revision"],
        "version": wanted.get("version"),
        "uri": wanted.get("uri"),
        "artifact": notes.get("artifact"),
        "resolved": notes.get("resolved"),
        "images": images,
        "runtime": data.get("runtime"),
        "podTemplate": data.get("template"),
        "lineage": wanted.get("lineage"),
        "applied": data.get("applied"),
        "stored": meta.get("creationTimestamp"),
        "served": periods(revision, outcomes),
        "outcomes": [o for o in reversed(outcomes) if o["revision"] == revision],
        **verdict,
    }
    subjects = _subjects(wanted.get("uri"), notes.get("artifact"), images)
    itself = {"name": f"controllerrevision/{meta['name']}", "digest": {"sha256": data["digest"]}}
    return {
        "_type": TYPE,
        "subject": subjects or [itself],
        "predicateType": PREDICATE,
        "predicate": {key: value for key, value in facts.items() if value not in (None, {})},
    }


def periods(revision: str, history: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """From when to when `revision` was stable; no `until` while it is. `history`: newest first."""
    found: list[dict[str, str]] = []
    stable: list[str] = []
    for event in reversed(list(history)):
        before = stable[-1] if stable else None
        if event["outcome"] == "Promoted" and before != event["revision"]:
            stable.append(event["revision"])
        elif event["outcome"] == "Undone" and before == event["revision"]:
            stable.pop()
        now = stable[-1] if stable else None
        if before != now and before == revision:
            found[-1]["until"] = event["at"]
        if before != now and now == revision:
            found.append({"from": event["at"]})
    return found


def _subjects(
    uri: str | None, artifact: str | None, images: Mapping[str, str]
) -> list[dict[str, Any]]:
    named = [(uri or "model", artifact or ""), *images.items()]
    found = []
    for name, text in named:
        digest = _DIGEST.search(text)
        if digest:
            found.append({"name": name, "digest": {"sha256": digest[1]}})
    return found


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
