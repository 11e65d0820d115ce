"""Sends smoke tests directly to pods, before a version gets its first traffic (R4)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

from canarium.api.effective_smoke_tests import EffectiveSmokeTest
from canarium.api.reasons import ConnectionLoss
from canarium.evaluation.errors import ErrorReason
from canarium.signals.access import NamespaceAccess
from canarium.signals.addresses import authority
from canarium.signals.assertions import Unexpected, Unusable, met, signed
from canarium.signals.errors import NoAnswer, Unreachable
from canarium.signals.http_client import Response
from canarium.signals.logged_example import protocol
from canarium.signals.redaction import redacted

#: Attempts at a request whose connection is lost before the response begins, and the seconds
#: between them. POST is retried too: no server has responded to it.
_ATTEMPTS, _APART = 3, 0.5


@dataclass(frozen=True, slots=True)
class Target:
    """A pod to test: its name, its address, and the port of its server."""

    pod: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A test that a pod did not pass; `fault`: it could not be evaluated, for any pod, and why."""

    test: str
    pod: str
    message: str
    fault: ErrorReason | None = None


@dataclass(frozen=True, slots=True)
class Unreached:
    """A pod was not reachable, so nothing is known about its version."""

    test: str
    pod: str
    message: str
    loss: ConnectionLoss


async def run(
    web: NamespaceAccess,
    tests: Iterable[EffectiveSmokeTest],
    targets: Iterable[Target],
    *,
    bodies: Mapping[int, bytes],
    predict_path: str | None,
    signature: bytes | None = None,
) -> Failed | Unreached | None:
    """Sends every test to every target. Returns the first failure, else the first target that
    could not be reached, or None when all passed.

    `bodies` has those that are read elsewhere, by the index of their test; `signature` is that of
    the model (JSON), for tests that have it.
    """
    rows = list(enumerate(tests))

    async def one(target: Target) -> Failed | Unreached | None:
        for index, test in rows:
            try:
                answer = await _passes(web, test, target, bodies.get(index), predict_path)
                if test.from_signature and signature is not None:
                    protocol_name = protocol(test.path or predict_path) or ""
                    await signed(web, protocol_name, signature, answer)
            except Unreachable as error:
                return Unreached(test.name, target.pod, str(error), error.loss)
            except (NoAnswer, Unexpected) as error:
                text = redacted(str(error), test.headers.values())
                fault = error.reason if isinstance(error, Unusable) else None
                return Failed(test.name, target.pod, text, fault)
        return None

    outcomes = await asyncio.gather(*(one(target) for target in targets))
    wrong = (outcome for outcome in outcomes if isinstance(outcome, Failed))
    return next(wrong, None) or next((outcome for outcome in outcomes if outcome), None)


async def _passes(
    web: NamespaceAccess,
    test: EffectiveSmokeTest,
    target: Target,
    body: bytes | None,
    predict_path: str | None,
) -> Response:
    for _ in range(test.warmup):
        # Warm-up requests load, compile and cache; their results do not count.
        try:
            await _ask(web, test, target, body, predict_path)
        except (NoAnswer, Unexpected):
            continue
    answer = await _insisted(web, test, target, body, predict_path)
    await met(web, test.expect, answer)
    return answer


async def _insisted(
    web: NamespaceAccess,
    test: EffectiveSmokeTest,
    target: Target,
    body: bytes | None,
    predict_path: str | None,
) -> Response:
    """Returns the response; retries when the connection is lost before it began."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return await _ask(web, test, target, body, predict_path)
        except Unreachable:
            await asyncio.sleep(_APART)
    return await _ask(web, test, target, body, predict_path)


async def _ask(
    web: NamespaceAccess,
    test: EffectiveSmokeTest,
    target: Target,
    body: bytes | None,
    predict_path: str | None,
) -> Response:
    if test.grpc:
        # Imported on use: HTTP/2 takes memory, and few models speak gRPC.
        from canarium.signals import grpc_health

        began = asyncio.get_running_loop().time()
        grpc = test.grpc
        state = await grpc_health.check(target.address, grpc.port, grpc.service, test.timeout)
        if state != "SERVING":
            raise Unexpected(f"gRPC health reports {state}, expected SERVING")
        return Response(200, b"", asyncio.get_running_loop().time() - began)
    if test.body is not None:
        body = orjson.dumps(test.body)
    path = test.path or predict_path
    if path is None:
        raise Unusable("no path: set the test's path, or predictPath of the runtime")
    return await web.request(
        test.method,
        f"http://{authority(target.address, test.port or target.port)}{path}",
        body=body,
        headers={**test.default_headers, **test.headers},
        patience=test.timeout,
        pod=True,
    )
