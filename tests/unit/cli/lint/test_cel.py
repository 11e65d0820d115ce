"""CEL rules are evaluated once for each value."""

from __future__ import annotations

from canarium_cli.lint import cel


def test_rule_is_evaluated_once_for_equal_values() -> None:
    cel._holds.cache_clear()
    assert [cel.holds("self.a > 1", {"a": 2}) for _ in range(3)] == [True, True, True]
    assert (cel._holds.cache_info().misses, cel._holds.cache_info().hits) == (1, 2)


def test_values_of_another_type_are_evaluated_by_themselves_where_python_calls_them_equal() -> None:
    assert cel.holds("type(self) == bool", True)
    assert not cel.holds("type(self) == bool", 1)
