"""Parses a list of the API server while it arrives: one entry after the other, never as a whole."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

#: A longer entry is refused. etcd stores objects of at most 1.5 MiB.
_LONGEST = 16 * 2**20
_BETWEEN = re.compile(r"[,\s]*")


class ListParser:
    """The state between two chunks. `member` is the name of the array: `items`, or `rows` of a
    table."""

    def __init__(self, member: str) -> None:
        self._member = member
        # Only metadata and definitions of columns precede it, and those have no such member.
        self._begin = re.compile(rf'"{member}"\s*:\s*\[')
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._scan = json.JSONDecoder().raw_decode
        self._head: str | None = None
        self._rest = ""
        self._ended = False

    def feed(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """Yields the entries that are complete with this chunk. Raises ValueError."""
        text = self._rest + self._decode(chunk)
        place = 0
        if self._head is None and (begin := self._begin.search(text)):
            self._head, place = text[: begin.start()], begin.end()
        while self._head is not None and not self._ended:
            place = _end_of(_BETWEEN.match(text, place))
            if text[place : place + 1] == "]":
                self._ended = True
                break
            try:
                item, place = self._scan(text, place)
            except ValueError:
                break  # Not complete yet.
            if not isinstance(item, dict):
                raise ValueError("an entry of the list is not an object")
            yield item
        self._rest = text[place:]
        if len(self._rest) > _LONGEST:
            raise ValueError("an entry of the list is too long")

    def rest(self) -> dict[str, Any]:
        """Returns the answer without its entries, after the last chunk; the whole answer where it
        has no such array. Raises ValueError if it is not complete."""
        if self._head is None:
            whole = json.loads(self._rest)
        else:
            whole = json.loads(f'{self._head}"{self._member}":[{self._rest}')
        if not isinstance(whole, dict):
            raise ValueError("the answer is not an object")
        return whole

    def head(self) -> dict[str, Any]:
        """Returns what precedes the entries, once there is one. Raises ValueError."""
        whole = json.loads(f'{self._head or "{"}"{self._member}":[]}}')
        if not isinstance(whole, dict):
            raise ValueError("the answer is not an object")
        return whole


def _end_of(match: re.Match[str] | None) -> int:
    assert match is not None  # The pattern matches the empty text.
    return match.end()
