"""Parses a Table of the API server while it arrives: row by row, never as a whole."""

from __future__ import annotations

from typing import Any

from canarium.view.list_parser import ListParser


class TableParser(ListParser):
    """The state between two chunks."""

    def __init__(self) -> None:
        super().__init__("rows")

    def definitions(self) -> list[dict[str, Any]]:
        """Returns the definitions of the columns, which precede the rows. Raises ValueError."""
        columns = self.head().get("columnDefinitions")
        if not isinstance(columns, list) or not all(isinstance(x, dict) for x in columns):
            raise ValueError("the table has no columnDefinitions")
        return columns

    def version(self) -> str:
        """Returns the resourceVersion of the table after its last chunk. Raises ValueError if it
        is not complete."""
        whole = self.rest()
        if "rows" not in whole:
            raise ValueError("the answer is not a table")
        metadata = whole.get("metadata")
        resource_version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
        if not isinstance(resource_version, str):
            raise ValueError("the table has no resourceVersion")
        return resource_version
