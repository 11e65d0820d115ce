"""Parses a Table of the API server while it arrives: row by row, never as a whole."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any

#: A longer row is refused. etcd stores objects of at most 1.5 MiB.
_LONGEST = 16 * 2**20
_ROWS = '"rows":['


class TableParser:
    """The state between two chunks."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._scan = json.JSONDecoder().raw_decode
        self._head: str | None = None
        self._rest = ""
        self._ended = False

    def feed(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """Yields the rows that are complete with this chunk. Raises ValueError."""
        text = self._rest + self._decode(chunk)
        place = 0
        if self._head is None:
            begin = text.find(_ROWS)
            if begin >= 0:
                self._head, place = text[:begin], begin + len(_ROWS)
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
                raise ValueError("a row is not an object")
            yield item
        self._rest = text[place:]
        if len(self._rest) > _LONGEST:
            raise ValueError("a row is too long")

    def definitions(self) -> list[dict[str, Any]]:
        """Returns the definitions of the columns, which precede the rows. Raises ValueError."""
        whole = json.loads(f"{self._head or ''}{_ROWS}]}}")
        columns = whole.get("columnDefinitions") if isinstance(whole, dict) else None
        if not isinstance(columns, list) or not all(isinstance(x, dict) for x in columns):
            raise ValueError("the table has no columnDefinitions")
        return columns

    def version(self) -> str:
        """Returns the resourceVersion of the table after its last chunk. Raises ValueError if it
        is not complete."""
        if self._head is None:
            raise ValueError("the answer is not a table")
        whole = json.loads(self._head + _ROWS + self._rest)
        metadata = whole.get("metadata") if isinstance(whole, dict) else None
        resource_version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
        if not isinstance(resource_version, str):
            raise ValueError("the table has no resourceVersion")
        return resource_version
