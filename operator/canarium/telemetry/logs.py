"""The operator's log: one record is one line, even with text of other systems in it.

Two formats: `text` for people, and `json` with one object per line for log stores, with the names
that controller-runtime uses: ts, level, logger, msg, namespace, name, reconcileID, stacktrace.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from canarium.telemetry import log_context
from canarium.untrusted.quoting import escaped

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s %(message)s"
#: Maximum characters of one record: longer ones hide others and fill the node's disk.
_LONGEST = 16_384
_INDENT = "    | "


class OneLine(logging.Formatter):
    """Escapes control characters of messages, and indents tracebacks so that none forges a line."""

    def __init__(self) -> None:
        super().__init__(_FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = _message(record.message)
        return super().formatMessage(record)

    def formatException(self, exc_info: object) -> str:
        text = super().formatException(exc_info)  # type: ignore[arg-type]
        return _indented(text)

    def formatStack(self, stack_info: str) -> str:
        return _indented(stack_info)


class Json(JsonFormatter):
    """One JSON object per record, with the model and the reconcile that it is about."""

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        at = datetime.fromtimestamp(record.created, UTC)
        log_data["ts"] = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
        log_data["level"] = record.levelname.lower()
        log_data["logger"] = record.name
        log_data["msg"] = _message(record.message)
        log_data.update(log_context.current())
        traces = [message_dict.get("exc_info"), message_dict.get("stack_info")]
        if any(traces):
            whole = "\n".join(filter(None, traces))[-_LONGEST:]
            log_data["stacktrace"] = "\n".join(map(escaped, whole.splitlines()))


#: By the value of `--log-format`.
FORMATS = {"text": OneLine, "json": Json}


def configure(level: str, format: str = "text") -> None:
    """Configures the process' log; libraries that log every request log only warnings."""
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATS[format]())
    logging.basicConfig(level=level, handlers=[handler])
    # Warnings of Python would otherwise be lines of another format.
    logging.captureWarnings(format == "json")
    # The paths of some services are credentials, and urllib3 logs them.
    for chatty in ("kopf", "aiohttp.access", "urllib3", "requests"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _message(text: str) -> str:
    escaped_text = escaped(text[:_LONGEST])
    return escaped_text if len(escaped_text) <= _LONGEST else f"{escaped_text[:_LONGEST]}…"


def _indented(text: str) -> str:
    lines = text[-_LONGEST:].splitlines()
    return "\n".join(f"{_INDENT}{escaped(line)}" for line in lines)
