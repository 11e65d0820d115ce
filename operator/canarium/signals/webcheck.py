"""A number from any service that answers JSON over HTTP."""

from __future__ import annotations

import math

import orjson

from canarium.core.measures import Missing, Reading, Result
from canarium.signals.jsonpath import BadPath, values
from canarium.signals.prometheus import Endpoint, denied
from canarium.signals.web import NoAnswer, Web


async def ask(web: Web, endpoint: Endpoint, path: str, samples_path: str | None = None) -> Result:
    """The number at the JSON path `path`, with that at `samples_path` as its observations."""
    try:
        answer = await web.request(
            "GET",
            endpoint.url,
            headers={"Accept": "application/json", **endpoint.headers},
            patience=endpoint.patience,
            tls=endpoint.tls,
        )
    except NoAnswer as error:
        return Missing(f"{endpoint}: {error}", error=True, reason=error.reason)
    if found := denied(endpoint, answer.status):
        return found
    if answer.status != 200:
        return Missing(f"{endpoint}: status {answer.status}", error=True, reason="QueryFailed")
    try:
        document = orjson.loads(answer.body)
        value = _number(path, document)
        samples = _number(samples_path, document) if samples_path else None
    except orjson.JSONDecodeError:
        return Missing(f"{endpoint}: the answer is no JSON", error=True, reason="QueryFailed")
    except BadPath as error:
        return Missing(str(error), error=True, reason="InvalidQuery")
    for result in (value, samples):
        if isinstance(result, Missing):
            return result
    assert isinstance(value, float)
    return Reading(value, samples=samples if isinstance(samples, float) else None)


def _number(path: str, document: object) -> float | Missing:
    found = values(path, document)
    if len(found) != 1:
        return Missing(f"{path} matches {len(found)} values, not one", reason="NoMatch")
    if isinstance(found[0], bool) or not isinstance(found[0], int | float):
        return Missing(f"{path} is no number", reason="NoMatch")
    number = float(found[0])
    return number if math.isfinite(number) else Missing(f"{path} is {number}")
