"""The ban list: wordings that readers have to decode, each with what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ban:
    """A pattern of wording, and the advice that is printed where it is found."""

    pattern: re.Pattern[str]
    advice: str


@dataclass(frozen=True, slots=True)
class Match:
    """A banned wording in a text: its line (from 0), the words, and the advice."""

    line: int
    words: str
    advice: str


def _ban(pattern: str, advice: str) -> Ban:
    return Ban(re.compile(pattern, re.IGNORECASE), advice)


BANS: tuple[Ban, ...] = (
    _ban(r"\b(?:told|tells?|telling|said|says?|saying)\b", "write: reports, states, publishes"),
    _ban(r"(?<!\ba )\bgiven\b", "write: granted, set, passed; or leave it out"),
    _ban(r"\blook(?:s|ed|ing)? (?:at|after|again|anew)\b", "write: reads, checks, manages"),
    _ban(r"\b(?:a|each|every|first|next|last|one|that) looks?\b", "write: check, evaluation"),
    _ban(r"\b(?:goes|gone|going|went)\b", "write: is deleted, ends, continues, moves"),
    _ban(r"\b(?-i:go)(?= (?:back|first|last|on|away|down|up|by|into|before)\b)", "name the action"),
    _ban(r"\b(?:comes?|coming|came)\b(?! from\b)", "write: arrives, starts, follows, returns"),
    _ban(r"\bcannot be had\b", "write: is missing, is not available"),
    _ban(
        r"(?<!there )\b(?:is|are|was|were) no (?!longer\b|more\b|later\b)",
        "write: is not a …, is not valid …",
    ),
    _ban(r"\bof before\b", "write: previous, earlier"),
    _ban(r"\bthe (?:version|revision) before\b(?! (?:it|the|its|a|they)\b)", "write: previous …"),
    _ban(r"\bof (?:its|their|your|our|my|one's) own\b", "write: its own …, a separate …"),
    _ban(r"\bone's own\b", "write: your own"),
    _ban(r"\bfor ever\b", "write: indefinitely, forever"),
    _ban(r"\bas \w+ (?:has|have) it\b", "name the source"),
    _ban(r"\b(?:whatever|whoever|whomever)\b", "name what is meant"),
    _ban(r"\bby which\b", "write: that, with which; or split the sentence"),
    _ban(r"\b(?:somebody|nobody|everybody)\b", "name the actor: another client, no caller"),
    _ban(r"\banew\b", "write: again"),
    _ban(r"\bin (?:the )?midst\b", "write: during"),
    _ban(r"\b(?:take|takes|taken|taking|took)(?: \w+){0,2} back\b", "write: roll back, undo"),
    _ban(r"\b(?:put|puts|putting) (?:it |them |that )?right\b", "write: correct, restore, fix"),
    _ban(r"\b(?:put|puts|putting) off\b", "write: defer"),
    _ban(r"\bserves? on\b(?! (?:port|IPv|all|both|the)\b)", "write: keeps serving"),
    _ban(r"\b(?:mend|mends|mended)\b", "write: fix, repair"),
    _ban(r"\b(?:without|in) words?\b", "leave it out"),
    _ban(r"\bof late\b", "write: recently"),
    _ban(r"\blet(?:s)? go\b", "write: releases"),
)


def matches(text: str) -> Iterator[Match]:
    """Yields every banned wording in a text, in the order of the ban list."""
    # A line break inside a sentence separates words as a space does.
    flat = text.replace("\n", " ")
    for ban in BANS:
        for match in ban.pattern.finditer(flat):
            yield Match(text.count("\n", 0, match.start()), match[0], ban.advice)
