"""What the operator wrote in a namespace, by the audit log."""

from __future__ import annotations

import json

from sandbox import Sandbox


class Audited:
    """All writes of the operator, also those that change nothing."""

    def __init__(self, sandbox: Sandbox, namespace: str) -> None:
        self._log, self._namespace = sandbox.audit_log, namespace

    def moment(self) -> int:
        """A place in the log, for `since`."""
        return len(self._lines())

    def since(self, moment: int) -> list[str]:
        """Verb, resource and name of the writes after a moment."""
        events = [json.loads(line) for line in self._lines()[moment:]]
        return [
            "/".join(
                filter(
                    None,
                    (e["verb"], ref["resource"], ref.get("subresource"), ref.get("name", "(new)")),
                )
            )
            for e in events
            if e["stage"] == "ResponseComplete"
            and e["user"]["username"].startswith("system:serviceaccount:canarium:")
            and e["verb"] in ("create", "update", "patch", "delete", "deletecollection")
            and (ref := e.get("objectRef", {})).get("namespace") == self._namespace
        ]

    def _lines(self) -> list[str]:
        lines = self._log.read_text().splitlines(keepends=True)
        return [line for line in lines if line.endswith("\n")]
