"""Asks systems of users about versions at gates of kind `web`, until they answer (R27).

The contract of an answer is in `core.facts.gate_answers`. Each request has an idempotency key that
is the same for every attempt of one revision at one gate, so that neither a lost answer nor a
restart of the operator counts twice.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

import orjson

from canarium.api.base import seconds
from canarium.api.reasons import CheckReason
from canarium.core.facts.gate_answers import AnswerState, GateAnswer, GateRequest
from canarium.evaluation.errors import EvaluationError
from canarium.kube.clock import Timing
from canarium.signals.access import NamespaceAccess
from canarium.signals.authenticator import Authenticator
from canarium.signals.credentials import Unavailable
from canarium.signals.endpoint import Endpoint, denied
from canarium.signals.errors import NoAnswer
from canarium.signals.http_client import Response
from canarium.signals.prometheus import reason_of
from canarium.signals.redaction import redacted, shown
from canarium.sources.background import Attempt, Background, Wake
from canarium.sources.registries import Key
from canarium.untrusted.error_log import ErrorLog
from canarium.untrusted.quoting import quoted

log = logging.getLogger(__name__)
#: Seconds between two requests while an answer is pending, and that one request may take.
INTERVAL, PATIENCE = 10.0, 10.0
#: Seconds until the first repetition without a usable answer, doubled each time, and the longest.
_FIRST_WAIT, _LAST_WAIT = 1.0, 60.0
#: Doublings that are certain to reach the longest wait.
_DOUBLINGS = 6
#: Characters of an answer that are kept.
_LONGEST = 500
#: Returns the UID of a model; None after its deletion.
Uid = Callable[[Key], str | None]
#: Asks once; never raises.
Ask = Callable[[Key, GateRequest], Awaitable[GateAnswer]]


class WebGates:
    """Asks what plans request: every gate of a model on its own, until it has its result."""

    def __init__(self, ask: Ask, wake: Wake, timing: Timing | None = None) -> None:
        self._ask = ask
        self._requests = Background[GateRequest, GateAnswer](
            self._once, lambda key, urgent: wake(_model(key)[0], urgent), timing or Timing()
        )
        self._wanted: dict[Key, frozenset[str]] = {}

    def want(self, key: Key, requests: Iterable[GateRequest]) -> None:
        """Starts to ask each of `requests`, and stops all others of the model."""
        wanted = {request.gate: request for request in requests}
        for gate in self._wanted.pop(key, frozenset()) - wanted.keys():
            self._requests.forget(_gate_key(key, gate))
        for gate, request in wanted.items():
            self._requests.want(_gate_key(key, gate), request)
        if wanted:
            self._wanted[key] = frozenset(wanted)

    def answers(self, key: Key) -> tuple[GateAnswer, ...]:
        """Returns the latest answer to each request of a model that has one."""
        gates = sorted(self._wanted.get(key, ()))
        answers = (self._requests.result(_gate_key(key, gate)) for gate in gates)
        return tuple(answer for answer in answers if answer)

    def forget(self, key: Key) -> None:
        """Stops all requests of a model."""
        self.want(key, ())

    async def close(self) -> None:
        """Stops everything."""
        await self._requests.close()

    async def _once(self, key: Key, request: GateRequest, number: int) -> Attempt[GateAnswer]:
        answer = await self._ask(_model(key)[0], request)
        if answer.state is AnswerState.PENDING:
            interval = request.web.interval
            return Attempt(answer, again=seconds(interval) if interval else INTERVAL)
        if answer.state is AnswerState.MISSING:
            wait = min(_LAST_WAIT, _FIRST_WAIT * 2.0 ** min(number - 1, _DOUBLINGS))
            return Attempt(answer, again=wait)
        return Attempt(answer)


def _gate_key(key: Key, gate: str) -> Key:
    return key[0], f"{key[1]}/{gate}"


def _model(key: Key) -> tuple[Key, str]:
    name, _, gate = key[1].partition("/")
    return (key[0], name), gate


class GateClient:
    """Sends the requests of gates. `access` returns the share of a namespace."""

    def __init__(
        self,
        authenticator: Authenticator,
        access: Callable[[str], NamespaceAccess],
        uid: Uid,
    ) -> None:
        self._authenticator, self._access, self._uid = authenticator, access, uid
        self._error_log = ErrorLog(log)

    async def ask(self, key: Key, request: GateRequest) -> GateAnswer:
        """Asks once, and returns what the answer means. It never raises."""
        missing = partial(GateAnswer, request, AnswerState.MISSING, shown(request.web.url))
        patience = seconds(request.web.timeout) if request.web.timeout else PATIENCE
        try:
            endpoint = await self._authenticator.endpoint(
                key[0], request.web.url, request.web.authentication, patience
            )
            try:
                return await self._answer(key, request, endpoint)
            except (NoAnswer, EvaluationError) as error:
                reason = error.reason if isinstance(error, NoAnswer) else reason_of(error)
                return missing(redacted(f"{endpoint}: {error}", endpoint.secrets), reason)
        except Unavailable as error:
            return missing(str(error), error.reason)
        except Exception as error:
            text = self._error_log.report((key, "gates"), "/".join(key), "its gates", error)
            return missing(text, CheckReason.QUERY_FAILED)

    async def _answer(self, key: Key, request: GateRequest, endpoint: Endpoint) -> GateAnswer:
        """Raises NoAnswer or EvaluationError."""
        access = self._access(key[0])
        response = await endpoint.request(
            access,
            "POST",
            body=orjson.dumps({"namespace": key[0], "model": key[1], **dict(request.facts)}),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                "Idempotency-Key": f"{self._uid(key)}/{request.revision}/{request.gate}",
            },
        )
        answer = partial(GateAnswer, request, by=str(endpoint))
        if response.status == 202:
            return answer(AnswerState.PENDING)
        if refusal := denied(endpoint, response):
            return answer(AnswerState.MISSING, text=refusal.message, reason=refusal.reason)
        if not 200 <= response.status < 300:
            text = f"{endpoint}: status {response.status}"
            return answer(AnswerState.MISSING, text=text, reason=CheckReason.QUERY_FAILED)
        state, text = await _meaning(access, request, response)
        if state is AnswerState.PENDING:
            return answer(state)
        text = redacted(quoted(text, _LONGEST), endpoint.secrets)
        return answer(state, text=text or f"status {response.status}")


async def _meaning(
    access: NamespaceAccess, request: GateRequest, response: Response
) -> tuple[AnswerState, str]:
    """Returns what a body means, and its comment. Raises EvaluationError."""
    condition: dict[str, Any] | None = None
    if request.web.condition:
        condition = request.web.condition.model_dump(exclude_unset=True)
    if not response.body and condition is None:
        return AnswerState.PASSED, ""
    result, _ = await access.evaluate("gate_answer", response.body, condition=condition)
    return AnswerState(result["state"]), result["text"]
