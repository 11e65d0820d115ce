"""The texts that a model defines for its notifications."""

from __future__ import annotations

from collections.abc import Iterator

from canarium.render.notification_text import fault
from canarium_cli.manifests.documents import Document
from canarium_cli.manifests.finding import Finding

RULE = "notification"


def check(document: Document) -> Iterator[Finding]:
    """Yields templates of a model that cannot be rendered."""
    stated = document.spec.get("notifications")
    stated = stated if isinstance(stated, dict) else {}
    for field in ("title", "body"):
        source = stated.get(field)
        text = fault(field, source) if isinstance(source, str) else None
        if text:
            text = text.removeprefix(f"spec.notifications.{field}: ")
            yield document.finding(("spec", "notifications", field), f"{text}.", RULE)
