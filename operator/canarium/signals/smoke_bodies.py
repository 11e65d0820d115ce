"""Collects the bodies of smoke tests that are not in the spec: of ConfigMaps and of registries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from canarium.api.effective_smoke_tests import EffectiveSmokeTest
from canarium.api.reasons import CheckReason
from canarium.core.facts.training_run import RunRequest
from canarium.evaluation.errors import ErrorReason, EvaluationError
from canarium.kube.client import Api
from canarium.signals import credentials
from canarium.signals.access import NamespaceAccess
from canarium.signals.credentials import Unavailable
from canarium.signals.logged_example import ExampleReader, LoggedExample, NoExample, protocol
from canarium.untrusted.quoting import quoted

#: Seconds until bodies are collected again: a ConfigMap may be created meanwhile.
AGAIN = 5.0
#: The same, if it asks a registry.
REGISTRY_AGAIN = 60.0
_FIELD = "spec.rollout.smokeTests"


@dataclass
class SmokeBodies:
    """Bodies by the index of their test, the signature of the model, and what is missing."""

    bodies: dict[int, bytes] = field(default_factory=dict)
    signature: bytes | None = None
    faults: list[str] = field(default_factory=list)
    #: Why the last missing one is missing.
    reason: CheckReason = CheckReason.INVALID_TEST
    #: Seconds until another attempt.
    again: float = AGAIN


class BodyCollector:
    """Collects the bodies for the tests of one revision; what a registry answered is kept."""

    def __init__(self, api: Api, examples: ExampleReader | None) -> None:
        self._api, self._examples = api, examples
        self._example: tuple[RunRequest, LoggedExample] | None = None

    async def collect(
        self,
        access: NamespaceAccess,
        namespace: str,
        tests: Sequence[EffectiveSmokeTest],
        version: RunRequest | None,
        predict_path: str | None,
    ) -> SmokeBodies:
        """Returns the bodies of `tests` for `version` of a registry. It raises nothing that a user
        can cause."""
        collected = SmokeBodies()
        for index, test in enumerate(tests):
            path = f"{_FIELD}[{index}]"
            if test.body_from:
                try:
                    text = await credentials.text(self._api, namespace, test.body_from)
                    collected.bodies[index] = text.encode()
                except Unavailable as error:
                    collected.faults.append(f"{path}.bodyFrom: {error}")
            elif test.from_signature:
                try:
                    example = await self._read(namespace, version)
                    protocol_name = _protocol_of(test.path or predict_path)
                    collected.bodies[index] = await _request(access, protocol_name, example)
                    collected.signature = example.signature
                except NoExample as error:
                    collected.faults.append(f"{path}.fromSignature: {quoted(str(error), 400)}")
                    collected.reason, collected.again = error.reason, REGISTRY_AGAIN
        return collected

    async def _read(self, namespace: str, version: RunRequest | None) -> LoggedExample:
        """Raises NoExample."""
        if version is None or self._examples is None:
            text = "the model is not a version of an MLflow registry; set body instead"
            raise NoExample(text, CheckReason.NO_INPUT_EXAMPLE)
        if self._example is None or self._example[0] != version:
            self._example = version, await self._examples.read(namespace, version)
        return self._example[1]


def _protocol_of(path: str | None) -> str:
    """Returns the protocol at a path. Raises NoExample."""
    protocol_name = protocol(path)
    if protocol_name is None:
        text = (
            f"the example cannot be sent to {path or 'a server without predictPath'}: set path to "
            "one of V1 (…:predict), V2 (…/infer) or MLflow (/invocations)"
        )
        raise NoExample(text, CheckReason.INVALID_TEST)
    return protocol_name


async def _request(access: NamespaceAccess, protocol_name: str, example: LoggedExample) -> bytes:
    """Returns the example as a body in a protocol. Raises NoExample."""
    try:
        _, (body,) = await access.evaluate(
            "mlflow_request",
            example.signature,
            example.content,
            protocol=protocol_name,
            kind=example.kind,
        )
    except EvaluationError as error:
        reason = CheckReason.NO_INPUT_EXAMPLE
        if error.reason is ErrorReason.LIMIT:
            reason = CheckReason.EVALUATION_LIMIT
        elif error.reason is ErrorReason.UNAVAILABLE:
            reason = CheckReason.EVALUATION_UNAVAILABLE
        raise NoExample(str(error), reason) from error
    return body
