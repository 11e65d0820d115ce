"""The operator's log: one record is one line, even with text of other systems in it."""

from __future__ import annotations

import logging

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
        record.message = _bounded(escaped(record.message[:_LONGEST]))
        return super().formatMessage(record)

    def formatException(self, exc_info: object) -> str:
        text = super().formatException(exc_info)  # type: ignore[arg-type]
        return _indented(text)

    def formatStack(self, stack_info: str) -> str:
        return _indented(stack_info)


def configure(level: str) -> None:
    """Configures the process' log; libraries that log every request log only warnings."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine())
    logging.basicConfig(level=level, handlers=[handler])
    for chatty in ("kopf", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _bounded(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _indented(text: str) -> str:
    lines = text[-_LONGEST:].splitlines()
    return "\n".join(f"{_INDENT}{escaped(line)}" for line in lines)
