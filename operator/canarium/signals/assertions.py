"""Checks a response against expectations: status, values, schema, latency.

Values and schemas come from users, and responses from their pods, so they are evaluated in a worker
process.
"""

from __future__ import annotations

from typing import Any

from canarium.api.base import seconds
from canarium.api.effective_smoke_tests import EffectiveExpectation
from canarium.evaluation.errors import ErrorReason, EvaluationError
from canarium.signals.access import NamespaceAccess
from canarium.signals.http_client import Response
from canarium.untrusted.quoting import quoted


class Unexpected(Exception):
    """A response is not as expected; the message has the expected and the actual value."""


class Unusable(Unexpected):
    """The result is unknown: the test is invalid, or could not be evaluated."""

    def __init__(self, message: str, reason: ErrorReason = ErrorReason.INVALID) -> None:
        super().__init__(message)
        self.reason = reason


async def met(access: NamespaceAccess, expected: EffectiveExpectation, answer: Response) -> None:
    """Checks `answer`. Raises Unexpected if it does not match."""
    if answer.status != expected.status:
        raise Unexpected(f"status {answer.status}, expected {expected.status}")
    if expected.max_latency and answer.seconds > seconds(expected.max_latency):
        took = answer.seconds * 1000
        raise Unexpected(f"took {took:.0f}ms, expected at most {expected.max_latency}")
    if not expected.json_values and expected.json_schema is None:
        return
    values = [
        value.model_dump(exclude_unset=True, include={"path", "value", "tolerance"})
        for value in expected.json_values
    ]
    try:
        await access.evaluate("expectation", answer.body, json=values, schema=expected.json_schema)
    except EvaluationError as error:
        if error.reason in (ErrorReason.UNEXPECTED, ErrorReason.UNREADABLE):
            raise Unexpected(str(error)) from error
        raise Unusable(f"{_field(expected)}: {error}", error.reason) from error


async def signed(access: NamespaceAccess, protocol: str, signature: bytes, got: Response) -> None:
    """Checks that an answer has the outputs of a signature (JSON). Raises Unexpected if not."""
    try:
        await access.evaluate("mlflow_answer", signature, got.body, protocol=protocol)
    except EvaluationError as error:
        if error.reason in (ErrorReason.UNEXPECTED, ErrorReason.UNREADABLE):
            text = f"the answer does not match the signature of the model: {error}"
            raise Unexpected(text) from error
        raise Unusable(f"fromSignature: {error}", error.reason) from error


def _field(expected: EffectiveExpectation) -> str:
    """Returns the field of an expectation that needs an evaluation."""
    if expected.json_schema is None:
        return "expect.json"
    return "expect" if expected.json_values else "expect.schema"


async def faults(
    access: NamespaceAccess, expectations: dict[str, EffectiveExpectation]
) -> list[str]:
    """Returns what is invalid in expectations (by their paths), each with the field's path.

    Raises Unusable when that could not be found out.
    """
    fields: list[str] = []
    checked: list[dict[str, Any]] = []
    for path, expected in expectations.items():
        for index, value in enumerate(expected.json_values):
            fields.append(f"{path}.json[{index}].path")
            checked.append({"path": value.path})
        if expected.json_schema is not None:
            fields.append(f"{path}.schema")
            checked.append({"schema": expected.json_schema})
    if not checked:
        return []
    try:
        result, _ = await access.evaluate("expressions", checked=checked)
    except EvaluationError as error:
        raise Unusable(f"{', '.join(fields)}: {error}", error.reason) from error
    return [f"{fields[index]}: {quoted(text)}" for index, text in result["faults"]]
