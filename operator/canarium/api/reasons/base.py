"""The base of every enum of reasons: a word for tools, with its explanation for people."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

#: Advice where a person has nothing to do.
NOTHING = "Nothing."


class Reason(StrEnum):
    """A CamelCase word of the API: what it means, what the operator does, what you should do.

    `docs/reference/reasons.md` is generated from these texts.
    """

    meaning: str
    reaction: str
    advice: str

    def __new__(cls, word: str, meaning: str, reaction: str, advice: str) -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning, member.reaction, member.advice = meaning, reaction, advice
        return member
