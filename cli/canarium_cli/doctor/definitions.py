"""The CRDs: present, and neither older nor newer than this client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from canarium import VERSION
from canarium.view.objects import Raw, part, text
from canarium_cli.doctor.facts import DEFINITIONS, Facts
from canarium_cli.doctor.finding import Finding, ok, problem, unreadable, warning

SUBJECT = "CRDs"
_INSTALL = "Install the CRDs of the operator's release: they are in its chart"
#: So many fields are named.
_NAMED = 3


def examine(facts: Facts) -> Iterator[Finding]:
    """Compares the definitions of the cluster with those of this client."""
    if facts.fault("definitions"):
        yield unreadable(SUBJECT, "the definitions", facts.fault("definitions"))
        return
    installed = {text(part(one, "metadata"), "name"): one for one in facts["definitions"]}
    missing = [name for name in DEFINITIONS if name not in installed]
    if missing:
        yield problem(SUBJECT, f"Not installed: {', '.join(missing)}", _INSTALL)
    present = [installed[name] for name in DEFINITIONS if name in installed]
    if present:
        yield from _compared(present)


def _compared(present: list[Raw]) -> Iterator[Finding]:
    older, newer = differences(present)
    if older:
        text = f"Older than this client ({VERSION}): they lack {_named(older)}"
        yield problem(
            SUBJECT, text, "Upgrade the CRDs, or use the client of the operator's release"
        )
    elif newer:
        text = f"Newer than this client ({VERSION}): it does not know {_named(newer)}"
        yield warning(SUBJECT, text, "Upgrade this client")
    else:
        yield ok(SUBJECT, f"{len(present)} of {len(DEFINITIONS)} are those of this client")


def differences(present: list[Raw]) -> tuple[list[str], list[str]]:
    """The fields that these definitions lack, and those that this client does not know."""
    from canarium.api import crd
    from canarium.api.crd_skew import skew

    ours: dict[str, Any] = {kind["metadata"]["name"]: kind for kind in crd.kinds()}
    older: list[str] = []
    newer: list[str] = []
    for theirs in present:
        name = text(part(theirs, "metadata"), "name")
        try:
            differing = skew(theirs, ours[name], "v1alpha1")
        except (ValueError, KeyError, TypeError):
            older.append(f"{name}/v1alpha1")
            continue
        older += [*differing.lost, *differing.unsayable]
        newer += differing.unknown
    return older, newer


def _named(paths: list[str]) -> str:
    shown = ", ".join(path.lstrip(".") for path in paths[:_NAMED])
    return f"{shown} and {len(paths) - _NAMED} more" if len(paths) > _NAMED else shown
