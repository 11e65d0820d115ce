"""Smoke tests, with every default filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from canarium.api.effective_analysis import request_timeout
from canarium.api.smoke_tests import ConfigMapKey, Expectation, JsonExpectation, SmokeTest


@dataclass(frozen=True, slots=True)
class EffectiveGrpcHealth:
    """A request of the gRPC health protocol; an empty `service` is the server as a whole."""

    service: str
    port: int


@dataclass(frozen=True, slots=True)
class EffectiveExpectation:
    """What a response must be."""

    status: int
    json_values: tuple[JsonExpectation, ...]
    json_schema: Mapping[str, Any] | None
    #: Duration such as 200ms; None: any.
    max_latency: str | None


@dataclass(frozen=True, slots=True)
class EffectiveSmokeTest:
    """One request to each pod of a new version."""

    #: How status and Events call it.
    name: str
    method: str
    #: None: the path for predictions of the revision's runtime.
    path: str | None
    #: None: the port of the server.
    port: int | None
    #: Headers by default, which those of the spec replace.
    default_headers: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: Mapping[str, Any] | None
    body_from: ConfigMapKey | None
    #: Whether the body is the logged input example, and the response must match the signature.
    from_signature: bool
    #: Instead of HTTP.
    grpc: EffectiveGrpcHealth | None
    warmup: int
    #: Seconds.
    timeout: float
    expect: EffectiveExpectation


def effective_smoke_tests(tests: Iterable[SmokeTest] | None) -> tuple[EffectiveSmokeTest, ...]:
    """Returns `tests` with their defaults."""
    return tuple(_test(test, index) for index, test in enumerate(tests or ()))


def _test(test: SmokeTest, index: int) -> EffectiveSmokeTest:
    has_body = bool(test.body is not None or test.body_from or test.from_signature)
    return EffectiveSmokeTest(
        name=_name(test, index),
        method=test.method or ("POST" if has_body else "GET"),
        path=test.path,
        port=test.port,
        default_headers={"Content-Type": "application/json"} if has_body else {},
        headers=test.headers or {},
        body=test.body,
        body_from=test.body_from.config_map if test.body_from else None,
        from_signature=bool(test.from_signature),
        grpc=EffectiveGrpcHealth(test.grpc.service or "", test.grpc.port) if test.grpc else None,
        warmup=test.warmup or 0,
        timeout=request_timeout(test.timeout),
        expect=_expectation(test.expect),
    )


def _name(test: SmokeTest, index: int) -> str:
    if test.title:
        return test.title
    if test.grpc:
        return f"grpc {test.grpc.service or 'health'}"
    if test.from_signature and not test.path:
        return "input example"
    return test.path or f"smokeTests[{index}]"


def _expectation(expected: Expectation | None) -> EffectiveExpectation:
    expected = expected or Expectation()
    return EffectiveExpectation(
        status=expected.status or 200,
        json_values=tuple(expected.json_values or ()),
        json_schema=expected.json_schema,
        max_latency=expected.max_latency,
    )
