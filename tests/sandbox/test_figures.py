"""What end-to-end tests have measured, as tables."""

from __future__ import annotations

from types import SimpleNamespace

from support.figures import FIGURES, tables


def report(when: str, table: str, **row: str) -> SimpleNamespace:
    return SimpleNamespace(when=when, user_properties=[(f"{FIGURES}{table}", row)])


def test_rows_of_one_table_stand_below_each_other_and_once() -> None:
    rows = [{"server": "mlserver", "seconds_to_Ready": "6.1"}, {"server": "litserve"}]
    reports = [report(when, "servers", **row) for row in rows for when in ("call", "teardown")]
    [(title, lines)] = tables([*reports, SimpleNamespace(when="call", user_properties=[("x", 1)])])
    assert title == "servers"
    assert lines == [
        "server    seconds to Ready",
        "mlserver  6.1",
        "litserve",
    ]
