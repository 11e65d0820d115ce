"""Reads a number from any service that returns JSON over HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from canarium.api.reasons import CheckReason
from canarium.core.evidence.measures import Missing, Reading, Result
from canarium.evaluation.errors import EvaluationError
from canarium.signals.access import NamespaceAccess
from canarium.signals.endpoint import Endpoint, denied
from canarium.signals.errors import NoAnswer
from canarium.signals.prometheus import reason_of


async def ask(
    web: NamespaceAccess,
    endpoint: Endpoint,
    path: str,
    samples_path: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
) -> Result:
    """Returns the number at `path`, with the one at `samples_path` as its sample count.

    `body` is sent by a POST, as JSON unless `headers` differ.
    """
    sent = {"Accept": "application/json"}
    if body is not None:
        sent["Content-Type"] = "application/json"
    for name, value in (headers or {}).items():
        sent[name.title()] = value  # Names are not case-sensitive, and each is sent once.
    paths = [path, samples_path] if samples_path else [path]
    try:
        method, content = ("GET", None) if body is None else ("POST", body.encode())
        answer = await endpoint.request(web, method, headers=sent, body=content)
    except NoAnswer as error:
        # An invalid path is an error even without a response.
        invalid = await _invalid(web, paths)
        return invalid or Missing(f"{endpoint}: {error}", error=True, reason=error.reason)
    if refusal := denied(endpoint, answer):
        return refusal
    if answer.status != 200:
        return Missing(
            f"{endpoint}: status {answer.status}", error=True, reason=CheckReason.QUERY_FAILED
        )
    try:
        result, _ = await web.evaluate("numbers", answer.body, paths=paths)
    except EvaluationError as error:
        return Missing(f"{endpoint}: {error}", error=True, reason=reason_of(error))
    numbers: list[float] = []
    for number, text in result["found"]:
        if number is None:
            return Missing(text, reason=CheckReason.NO_MATCH)
        numbers.append(number)
    return Reading(numbers[0], samples=numbers[1] if samples_path else None)


async def _invalid(web: NamespaceAccess, paths: list[str]) -> Missing | None:
    try:
        result, _ = await web.evaluate("expressions", checked=[{"path": path} for path in paths])
    except EvaluationError:
        return None
    faults = (text for _, text in result["faults"])
    wrong = (Missing(text, error=True, reason=CheckReason.INVALID_QUERY) for text in faults)
    return next(wrong, None)
