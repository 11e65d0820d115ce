"""Parses a list of the API server while it arrives: object by object, never as a whole."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any

#: A longer object is refused. etcd stores at most 1.5 MiB.
_LONGEST = 16 * 2**20
_ITEMS = '"items":['


class ListParser:
    """The state between two chunks. What surrounds the items is parsed in the end."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._scan = json.JSONDecoder().raw_decode
        self._head: str | None = None
        self._rest = ""
        self._ended = False

    def feed(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """Yields the objects that are complete with this chunk. Raises ValueError."""
        text = self._rest + self._decode(chunk)
        place = 0
        if self._head is None:
            found = text.find(_ITEMS)
            if found >= 0:
                self._head, place = text[:found], found + len(_ITEMS)
        while self._head is not None and not self._ended:
            while text[place : place + 1] in (",", " ", "\n"):
                place += 1
            if text[place : place + 1] == "]":
                self._ended = True
                break
            try:
                item, place = self._scan(text, place)
            except ValueError:
                break  # Not complete yet.
            if not isinstance(item, dict):
                raise ValueError("an item is not an object")
            yield item
        self._rest = text[place:]
        if len(self._rest) > _LONGEST:
            raise ValueError("an object is too long")

    def version(self) -> str:
        """Returns the resourceVersion of the list after its last chunk. Raises ValueError if it is
        not complete."""
        head = "" if self._head is None else self._head + _ITEMS
        whole = json.loads(head + self._rest)
        metadata = whole.get("metadata") if isinstance(whole, dict) else None
        found = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
        if not isinstance(found, str):
            raise ValueError("the list has no resourceVersion")
        return found
