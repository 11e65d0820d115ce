"""Builds in-toto statements: what a revision is made of, when it served, and how it ended."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from canarium import GROUP
from canarium.core.facts.images import Images, images_to_json, merged, parse_images
from canarium.core.facts.periods import Period, period_to_json
from canarium.core.facts.revision import BY_NAME, recorded_version
from canarium.view.training_run import training_run

TYPE = "https://in-toto.io/Statement/v1"
PREDICATE = f"https://{GROUP}/attestation/revision/v1alpha1"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


def statement(
    record: Mapping[str, Any],
    history: Iterable[Mapping[str, Any]],
    model: str,
    known: Iterable[Period] = (),
) -> dict[str, Any]:
    """Returns the statement of one ControllerRevision of `model`.

    `history` is the status history, newest first; `known` are the periods in which its revisions
    had traffic. Subjects are the model's content and the images whose digests are known; without
    any, the record itself, by the digest of the spec that it was made from.
    """
    meta, data = record["metadata"], record["data"]
    notes = _notes(record)
    revision = meta["labels"][f"{GROUP}/revision"]
    wanted = data.get("model") or {}
    outcomes = list(history)
    periods = [period for period in known if period.revision == revision]
    images = merged((parse_images(notes.get("images")), *(period.images for period in periods)))
    # One that became stable only because it alone served has all traffic and was not promoted.
    promoted = any(period.promoted for period in periods) and not notes.get("took-over")
    passed = "Promoted" if promoted else None
    verdict = {"verdict": notes.get("verdict", passed), "failure": _json(notes.get("failure"))}
    facts = {
        "namespace": meta["namespace"],
        "model": model,
        "revision": revision,
        "number": record["revision"],
        "version": recorded_version(data),
        "uri": wanted.get("uri"),
        "artifact": notes.get("artifact"),
        "resolved": (data.get("identity") or {}).get("resolved"),
        "signature": _json(notes.get("signature")),
        "images": images_to_json(images),
        "runtime": data.get("runtime"),
        "podTemplate": data.get("template"),
        "lineage": wanted.get("lineage"),
        "trainingRun": training_run(record),
        "applied": data.get("applied"),
        "stored": meta.get("creationTimestamp"),
        "served": [period_to_json(period) for period in periods],
        "gates": _json(notes.get("gates")),
        "checkTemplates": _json(notes.get("check-templates")),
        "outcomes": [o for o in reversed(outcomes) if o["revision"] == revision],
        **verdict,
    }
    subjects = _subjects(wanted.get("uri"), notes.get("artifact"), images)
    # A restored record may have lost its identity: then its digest is its name.
    kind = "revision" if data.get("algorithm") == BY_NAME else "sha256"
    itself = {"name": f"controllerrevision/{meta['name']}", "digest": {kind: data["digest"]}}
    return {
        "_type": TYPE,
        "subject": subjects or [itself],
        "predicateType": PREDICATE,
        "predicate": {key: value for key, value in facts.items() if value not in (None, {})},
    }


def _notes(of: Mapping[str, Any]) -> dict[str, str]:
    """Returns the annotations in our group, without its prefix."""
    annotations = (of.get("metadata") or {}).get("annotations") or {}
    ours = f"{GROUP}/"
    return {
        key.removeprefix(ours): text for key, text in annotations.items() if key.startswith(ours)
    }


def _subjects(uri: str | None, artifact: str | None, images: Images) -> list[dict[str, Any]]:
    named = [(name, text) for name, texts in images.items() for text in texts]
    subjects = []
    for name, text in [(uri or "model", artifact or ""), *named]:
        digest = _DIGEST.search(text)
        if digest:
            subjects.append({"name": name, "digest": {"sha256": digest[1]}})
    return subjects


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
