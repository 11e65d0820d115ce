"""What kubectl prints while it runs: the events of a watch, and the objects of a list."""

from __future__ import annotations

import codecs
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from canarium import API_VERSION, GROUP
from canarium.view.list_parser import ListParser
from canarium.view.objects import text
from canarium_cli.exits import CliError, skew, unreachable
from canarium_cli.faults import fault
from canarium_cli.processes import endless, not_started, stdin_of_kubectl, wants_terminal

Raw = Mapping[str, Any]
#: Bytes that are read at once.
_CHUNK = 1 << 20
#: Seconds within which a list has to end.
_LIMIT = 120.0
#: The processes that run.
_running: set[subprocess.Popen[bytes]] = set()


class Watch:
    """The events of one `kubectl get --watch`, and its process.

    Each event is the type (ADDED, MODIFIED, DELETED) with the object. The iteration ends when
    kubectl ends, which happens when the API server closes the connection; then `fault` is why.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=stdin_of_kubectl(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        _running.add(self._process)

    def __iter__(self) -> Iterator[tuple[str, Raw]]:
        assert self._process.stdout is not None
        decoder, buffer = codecs.getincrementaldecoder("utf-8")("replace"), ""
        while chunk := os.read(self._process.stdout.fileno(), _CHUNK):
            buffer += decoder.decode(chunk)
            # Versions of kubectl print events indented, or in a line each.
            while event := _first_value(buffer):
                value, end = event
                buffer = buffer[end:]
                yield str(value.get("type")), value.get("object") or {}

    def fault(self) -> CliError | None:
        """Why kubectl ended; None when it ended without an error. Waits for its end."""
        _, stderr = self._process.communicate()
        _running.discard(self._process)
        words = stderr.decode(errors="replace")
        return fault(words) if self._process.returncode and words.strip() else None

    def stop(self) -> None:
        """Ends kubectl; the iteration and `fault` end with it."""
        _stop(self._process)


class Listing:
    """The objects of one `kubectl get --raw` of a list, each as soon as kubectl has printed it, so
    that they are never in memory as a whole.

    `version` is the resourceVersion of the list once the iteration has ended. The iteration raises
    CliError; `explain` turns the one of kubectl into the one to raise.
    """

    def __init__(self, command: Sequence[str], explain: Callable[[CliError], CliError]) -> None:
        self._command, self._explain = command, explain
        self.version = ""

    def __iter__(self) -> Iterator[Raw]:
        parser = ListParser("items")
        code, words = yield from self._run(parser)
        if code and wants_terminal(words):
            parser = ListParser("items")
            code, words = yield from self._run(parser)
        if code:
            raise self._explain(fault(words))
        try:
            whole = parser.rest()
        except ValueError as error:
            raise _not_json(error) from None
        except RecursionError:
            raise too_deep() from None
        if not str(whole.get("kind", "")).endswith("List"):
            raise _not_objects()
        self.version = text(whole.get("metadata"), "resourceVersion")

    def _run(self, parser: ListParser) -> Generator[Raw, None, tuple[int, str]]:
        """Yields the objects; returns the exit code and what kubectl wrote to stderr."""
        # A file, since nothing reads it meanwhile: a full pipe would block kubectl.
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(
                    self._command, stdin=stdin_of_kubectl(), stdout=subprocess.PIPE, stderr=errors
                )
            except OSError as error:
                raise not_started(self._command, error) from None
            late = threading.Event()

            def kill() -> None:
                late.set()
                process.kill()

            timer = threading.Timer(_LIMIT, kill)
            timer.daemon = True
            timer.start()
            _running.add(process)
            try:
                yield from _parsed(process, parser)
                process.wait()
            finally:
                # Also where the reader has ended early.
                timer.cancel()
                _stop(process)
                process.wait()
                _running.discard(process)
            errors.seek(0)
            words = errors.read()
            if late.is_set():
                raise endless("get", _LIMIT, words)
            return process.returncode, words.decode(errors="replace")


def _parsed(process: subprocess.Popen[bytes], parser: ListParser) -> Iterator[Raw]:
    assert process.stdout is not None
    with process.stdout as stdout:
        while chunk := os.read(stdout.fileno(), _CHUNK):
            try:
                for one in parser.feed(chunk):
                    if not isinstance(one.get("metadata"), dict):
                        raise _not_objects()
                    version = text(one, "apiVersion")
                    if version.startswith(f"{GROUP}/") and version != API_VERSION:
                        raise skew([version])
                    yield one
            except ValueError as error:
                raise _not_json(error) from None
            except RecursionError:
                raise too_deep() from None


def stop_running() -> None:
    """Ends every kubectl whose output is read, also those of threads that cannot end them because
    the program ends."""
    for process in tuple(_running):
        _stop(process)


def too_deep() -> CliError:
    """The error of an answer that no parser takes."""
    return unreachable("kubectl answered with JSON that is nested too deeply.")


def _not_json(error: ValueError) -> CliError:
    return unreachable(f"kubectl did not answer with JSON: {error}. Update kubectl.")


def _not_objects() -> CliError:
    return unreachable("kubectl did not answer with Kubernetes objects. Update kubectl.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()


def _first_value(words: str) -> tuple[dict[str, Any], int] | None:
    """The first JSON object of a text and where it ends; None while it is not complete.

    Raises CliError if it is nested too deeply.
    """
    start = len(words) - len(words.lstrip())
    # An object ends with a brace: without it, decoding a part of it again would be in vain.
    if "}" not in words:
        return None
    try:
        value, end = json.JSONDecoder().raw_decode(words, start)
    except ValueError:
        return None
    except RecursionError:
        raise too_deep() from None
    return (value, end) if isinstance(value, dict) else None
