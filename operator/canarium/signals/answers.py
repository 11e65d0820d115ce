"""Answers of candidate and stable to the same recorded requests, compared (shadow).

What is compared is taken out by a JSON path; bodies of requests and answers are neither logged
nor part of any message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from canarium.core.measures import Missing, Reading, Result
from canarium.signals.addresses import authority
from canarium.signals.expectation import alike
from canarium.signals.jsonpath import BadPath, values
from canarium.signals.smoke import Target
from canarium.signals.web import NoAnswer, Web

#: Requests in one look, and how many of them at a time: stable serves users meanwhile.
MOST, AT_ONCE = 200, 4


def recorded(text: str) -> list[bytes]:
    """The bodies in `text`, one JSON document per line. Raises ValueError naming the line."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"line {number} is no JSON") from error
        found.append(line.encode())
    return found[:MOST]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Where requests go (`path` at the candidate), what of the answers is compared, how exactly."""

    path: str
    stable_path: str
    json_path: str
    tolerance: float = 0.0
    patience: float = 10.0


async def compare(
    web: Web, how: Comparison, requests: Sequence[bytes], candidate: Target, stable: Target
) -> Result:
    """The share of requests that are answered differently.

    A request that *stable* does not answer with 200 tells nothing about the candidate and is not
    counted; one that only the candidate fails is a difference.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(body: bytes) -> bool | None:
        async with gate:
            wanted = await _matched(web, how, how.stable_path, stable, body)
            if wanted is None:
                return None
            found = await _matched(web, how, how.path, candidate, body)
            return found is not None and alike(found, wanted, how.tolerance)

    try:
        judged = [x for x in await asyncio.gather(*map(one, requests)) if x is not None]
    except BadPath as error:
        return Missing(str(error), error=True, reason="InvalidQuery")
    if not judged:
        text = f"stable answered none of {len(requests)} recorded requests with {how.json_path}"
        return Missing(text, reason="NoMatch")
    different = judged.count(False)
    return Reading(different / len(judged), samples=len(judged), bad=different)


async def _matched(
    web: Web, how: Comparison, path: str, target: Target, body: bytes
) -> list[object] | None:
    try:
        answer = await web.request(
            "POST",
            f"http://{authority(target.address, target.port)}{path}",
            body=body,
            headers={"Content-Type": "application/json"},
            patience=how.patience,
            pod=True,
        )
        if answer.status != 200:
            return None
        return values(how.json_path, orjson.loads(answer.body)) or None
    except (NoAnswer, orjson.JSONDecodeError):
        return None
