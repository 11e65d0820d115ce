"""Durations on the command line, such as `90s`, `5m` or `1h30m`."""

from __future__ import annotations

import re

import click

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_FORM = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smh])")


class Seconds(click.ParamType[float]):
    """A duration in Go's form, or a number of seconds; converts to seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, int | float):
            return float(value)
        text = str(value)
        parts = _FORM.findall(text)
        if parts and "".join(number + unit for number, unit in parts) == text:
            return sum(float(number) * _UNITS[unit] for number, unit in parts)
        if not _NUMBER.fullmatch(text):
            self.fail(f"{text!r} is not a duration such as 90s, 5m or 1h30m", param, ctx)
        return float(text)


class KubectlDuration(click.ParamType[str]):
    """The same for an option of kubectl, which requires a unit; converts to text for it."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        SECONDS.convert(value, param, ctx)
        text = str(value)
        return f"{text}s" if _NUMBER.fullmatch(text) else text


SECONDS, FOR_KUBECTL = Seconds(), KubectlDuration()
