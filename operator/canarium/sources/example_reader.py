"""Reads the input example that was logged with a model, from its registry (decision 0069).

Only through the tracking server, as the lineage: the operator connects to no bucket. Three or four
requests for each attempt; both files are limited, and only worker processes parse them (R31).
"""

from __future__ import annotations

import asyncio

from canarium.api.reasons import CheckReason, SpecReason
from canarium.api.uri import UriInvalid, parse
from canarium.core.facts.training_run import RunRequest
from canarium.evaluation.errors import ErrorReason, EvaluationError
from canarium.signals.logged_example import LoggedExample, NoExample
from canarium.sources.errors import Unresolved
from canarium.sources.model_files import content, folder_of, served
from canarium.sources.registries import Registries
from canarium.sources.registry_server import LONGEST
from canarium.sources.tracking_server import TrackingServer

#: Maximum bytes of an example.
LARGEST = 1 << 20
#: Seconds that one attempt may take.
PATIENCE = 30.0
_REASONS = {
    SpecReason.SOURCE_ACCESS_DENIED: CheckReason.ACCESS_DENIED,
    SpecReason.SOURCE_NOT_FOUND: CheckReason.NO_INPUT_EXAMPLE,
}


class RegistryExamples:
    """Reads examples from the registries of models."""

    def __init__(self, registries: Registries) -> None:
        self._registries = registries

    async def read(self, namespace: str, version: RunRequest) -> LoggedExample:
        """Returns the example of `version`. Raises NoExample."""
        try:
            async with asyncio.timeout(PATIENCE):
                server = await self._registries.server(namespace, version.endpoint, version.secret)
                return await _read(server, version.uri)
        except Unresolved as error:
            reason = _REASONS.get(error.reason, CheckReason.UNREACHABLE)
            if reason is CheckReason.ACCESS_DENIED:
                # Perhaps because of credentials that have been replaced.
                self._registries.refused(namespace, version.secret)
            raise NoExample(str(error), reason) from error
        except TimeoutError as error:
            text = f"{version.endpoint}: not complete within {PATIENCE:g} s"
            raise NoExample(text, CheckReason.UNREACHABLE) from error
        except UriInvalid as error:
            raise NoExample(str(error), CheckReason.NO_INPUT_EXAMPLE) from error


async def _read(server: TrackingServer, uri: str) -> LoggedExample:
    """Raises NoExample and Unresolved."""
    folder = await folder_of(server, parse(uri))
    path = served(server, folder)
    if path is None:
        text = f"{uri}: the tracking server does not serve the files of the model"
        raise NoExample(text, CheckReason.NO_INPUT_EXAMPLE)
    body = await content(server, path, "MLmodel", "the file MLmodel", LONGEST)
    if body is None:
        text = f"{uri}: the file MLmodel has more than {LONGEST >> 10} KiB"
        raise NoExample(text, CheckReason.ANSWER_TOO_LARGE)
    try:
        stored, (signature,) = await server.web.evaluate("mlflow_example", body)
    except EvaluationError as error:
        unavailable = error.reason is ErrorReason.UNAVAILABLE
        reason = CheckReason.EVALUATION_UNAVAILABLE if unavailable else CheckReason.NO_INPUT_EXAMPLE
        raise NoExample(f"{uri}: {error}", reason) from error
    name = stored["path"]
    example = await content(server, path, name, f"the input example ({name})", LARGEST)
    if example is None:
        text = f"{uri}: the input example ({name}) has more than {LARGEST >> 20} MiB"
        raise NoExample(text, CheckReason.ANSWER_TOO_LARGE)
    return LoggedExample(stored["kind"], example, signature)
