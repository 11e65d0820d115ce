"""H8: no text of others forges a line of the log."""

from __future__ import annotations

import io
import logging

from canarium.telemetry.logs import OneLine

FORGED = "x\n2026-11-28 00:00:00,000 ERROR   canarium.host.app forged\x1b[2J"


def logged(message: str, *arguments: object, raised: Exception | None = None) -> list[str]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine())
    log = logging.Logger("canarium.test")
    log.addHandler(handler)
    log.error(message, *arguments, exc_info=raised)
    return stream.getvalue().splitlines()


def test_message_of_a_record_is_one_line() -> None:
    (line,) = logged("%s: %s", "risk/fraud", FORGED)
    assert line.endswith(r"canarium.test risk/fraud: x\n2026-11-28 00:00:00,000 ERROR   "
                         r"canarium.host.app forged\x1b[2J")  # fmt: skip


def test_traceback_is_indented_so_that_its_text_forges_nothing() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError as error:
        first, *others = logged("failed", raised=error)
    assert first.endswith("canarium.test failed")
    assert any("Traceback" in line for line in others)
    assert all(line.startswith("    | ") for line in others)
    assert not any("\x1b" in line for line in others)


def test_record_is_bounded() -> None:
    assert len(logged("%s", "\n" * 1_000_000)[0]) < 20_000
