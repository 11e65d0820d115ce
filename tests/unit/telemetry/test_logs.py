"""H8: no text of others forges a line of the log."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from typing import Any

from canarium.telemetry import log_context
from canarium.telemetry.logs import Json, OneLine

FORGED = "x\n2026-11-28 00:00:00,000 ERROR   canarium.host.app forged\x1b[2J"


def logged(
    message: str,
    *arguments: object,
    raised: Exception | None = None,
    format: logging.Formatter | None = None,
) -> list[str]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(format or OneLine())
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


def objects(*records: tuple[str, Exception | None]) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for text, error in records
        for line in logged(text, raised=error, format=Json())
    ]


def test_json_record_is_one_object_with_the_names_of_controller_runtime() -> None:
    (line,) = objects((FORGED, None))
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "error",
        "logger": "canarium.test",
        "msg": r"x\n2026-11-28 00:00:00,000 ERROR   canarium.host.app forged\x1b[2J",
    }


def test_json_record_of_an_exception_is_one_object_with_the_traceback() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError as error:
        (line,) = objects(("failed", error))
    assert line["msg"] == "failed"
    assert line["stacktrace"].startswith("Traceback")
    assert "ValueError: x" in line["stacktrace"]
    assert "\x1b" not in line["stacktrace"]


def test_json_record_is_bounded_and_takes_text_that_is_not_unicode() -> None:
    ((line,),) = [logged("%s", "\ud800" * 1_000_000, format=Json())]
    assert len(line) < 40_000
    assert json.loads(line)["msg"].startswith(r"\ud800")


def test_lines_of_one_reconcile_have_its_model_revision_and_id() -> None:
    with log_context.reconciling("risk", "fraud"):
        (first,) = objects(("a", None))
        log_context.revise("abc12")
        second, third = objects(("b", None), ("c", None))
    with log_context.reconciling("risk", "fraud"):
        (other,) = objects(("d", None))
    (outside,) = objects(("e", None))
    assert (first["namespace"], first["name"], "revision" in first) == ("risk", "fraud", False)
    assert second["revision"] == third["revision"] == "abc12"
    assert first["reconcileID"] == second["reconcileID"] == third["reconcileID"]
    assert other["reconcileID"] != first["reconcileID"]
    assert outside.keys() == {"ts", "level", "logger", "msg"}


async def test_task_that_outlives_its_reconcile_does_not_keep_its_fields() -> None:
    ended = asyncio.Event()

    async def outlives(sets: bool) -> dict[str, Any]:
        if sets:
            log_context.about("risk", "spam", "def34")
        await ended.wait()
        (line,) = objects(("later", None))
        return line

    with log_context.reconciling("risk", "fraud"):
        tasks = [asyncio.create_task(outlives(sets)) for sets in (False, True)]
        await asyncio.sleep(0)
    ended.set()
    shared, own = await asyncio.gather(*tasks)
    assert shared.keys() == {"ts", "level", "logger", "msg"}
    assert (own["namespace"], own["name"], own["revision"]) == ("risk", "spam", "def34")
    assert "reconcileID" not in own
