"""What a worker process can do: pure functions from a header and byte strings to the same."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from canarium.evaluation import documents, exposition, logged_examples, mlflow, prometheus
from canarium.evaluation.errors import ErrorReason, EvaluationError

Header = dict[str, Any]
TaskResult = tuple[Header, Sequence[bytes]]
_MOST_REQUESTS = 200
#: Characters of a comment that are passed on.
_LONGEST_COMMENT = 1000
#: What the field `status` of an answer at a gate means.
_GATE_STATES = {
    **dict.fromkeys(("passed", "approved", "succeeded", "success", "ok"), "Passed"),
    "pending": "Pending",
    **dict.fromkeys(("rejected", "denied", "failed"), "Rejected"),
}


def expectation(header: Header, body: bytes) -> TaskResult:
    """Checks an answer against JSON values and a schema."""
    document = documents.parsed(body)
    for expected in header.get("json") or ():
        documents.check_value(expected, document)
    if header.get("schema") is not None:
        documents.check_schema(header["schema"], document)
    return {}, ()


def expressions(header: Header) -> TaskResult:
    """Returns what is wrong with paths and schemas themselves: (index in `checked`, text)."""
    faults = []
    for index, checked in enumerate(header["checked"]):
        try:
            if "path" in checked:
                documents.compiled(checked["path"])
            elif text := documents.schema_fault(checked["schema"]):
                faults.append((index, text))
        except EvaluationError as error:
            faults.append((index, str(error)))
    return {"faults": faults}, ()


def numbers(header: Header, body: bytes) -> TaskResult:
    """Returns the number at each path, or why there is none: [value, text]."""
    document = documents.parsed(body)
    return {"found": [_number(path, document) for path in header["paths"]]}, ()


def _number(path: str, document: Any) -> tuple[float | None, str]:
    matches = documents.values(path, document)
    if len(matches) != 1:
        return None, f"{path} matches {len(matches)} values, not one"
    if isinstance(matches[0], bool) or not isinstance(matches[0], int | float):
        return None, f"{path} is not a number"
    number = float(matches[0])
    return (number, "") if math.isfinite(number) else (None, f"{path} is not a finite number")


def gate_answer(header: Header, body: bytes) -> TaskResult:
    """Returns what the answer of a system at a gate means, and its comment."""
    condition = header.get("condition")
    if condition:
        documents.compiled(condition["path"])
    try:
        document = documents.parsed(body)
    except EvaluationError as error:
        if condition or error.reason is not ErrorReason.UNREADABLE:
            raise
        return {"state": "Passed", "text": ""}, ()
    fields = document if isinstance(document, dict) else {}
    text = str(fields.get("message") or "")[:_LONGEST_COMMENT]
    word = fields.get("status")
    state = _GATE_STATES.get(word.strip().lower()) if isinstance(word, str) else "Passed"
    if state is None and condition:
        state = "Passed"  # The condition decides.
    elif state is None:
        known = ", ".join(_GATE_STATES)
        raise EvaluationError(
            ErrorReason.UNREADABLE, f"its status is {str(word)[:80]!r}, which is none of {known}"
        )
    if condition and state == "Passed":
        try:
            documents.check_value(condition, document)
        except EvaluationError as error:
            if error.reason is not ErrorReason.UNEXPECTED:
                raise
            state, text = "Rejected", ": ".join(x for x in (str(error), text) if x)
    return {"state": state, "text": text}, ()


def query(header: Header, body: bytes) -> TaskResult:
    """Reduces the answer of a Prometheus server."""
    return prometheus.reduced(body), ()


def requests(header: Header, text: bytes) -> TaskResult:
    """Returns the first recorded requests, one JSON document per line, each a part."""
    bodies: list[bytes] = []
    for number, line in enumerate(text.split(b"\n"), 1):
        if not line.strip():
            continue
        if len(bodies) == _MOST_REQUESTS:
            break
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise EvaluationError(
                ErrorReason.INVALID, f"line {number} is not valid JSON"
            ) from error
        bodies.append(line.strip())
    return {}, bodies


def comparison(header: Header, wanted: bytes, *candidate: bytes) -> TaskResult:
    """Returns whether the candidate's response (absent if it failed) matches stable's.

    None when stable's has nothing to compare.
    """
    path = header["path"]
    documents.compiled(path)
    expected = _matched(path, wanted)
    if not expected:
        return {"alike": None}, ()
    matched = _matched(path, candidate[0]) if candidate else None
    alike = bool(matched) and documents.alike(matched, expected, header["tolerance"])
    return {"alike": alike}, ()


def _matched(path: str, body: bytes) -> list[Any] | None:
    try:
        return documents.values(path, documents.parsed(body))
    except EvaluationError as error:
        if error.reason is ErrorReason.UNREADABLE:
            return None
        raise


def metrics(header: Header, page: bytes) -> TaskResult:
    """Returns the series of each selector as [bound, digest], and their values as doubles."""
    samples = exposition.selected(page, header["selectors"])
    flat = [value for series in samples.values() for value in series.values()]
    names = {key: list(series) for key, series in samples.items()}
    return {"series": names}, (struct.pack(f"<{len(flat)}d", *flat),)


def mlflow_run(header: Header, body: bytes) -> TaskResult:
    """Returns the facts about an MLflow run, and the URI of its artifacts."""
    return mlflow.run(body), ()


def mlflow_signature(header: Header, body: bytes) -> TaskResult:
    """Returns the inputs and outputs of an MLflow model."""
    return {"signature": mlflow.signature(body)}, ()


def mlflow_example(header: Header, body: bytes) -> TaskResult:
    """Returns path and kind of the input example of an MLflow model, and its signature."""
    example, signature = logged_examples.described(body)
    return example, (signature,)


def mlflow_request(header: Header, signature: bytes, example: bytes) -> TaskResult:
    """Returns the input example as the body of a request."""
    kind, protocol = header["kind"], header["protocol"]
    return {}, (logged_examples.request(kind, protocol, signature, example),)


def mlflow_answer(header: Header, signature: bytes, answer: bytes) -> TaskResult:
    """Checks an answer against the signature of an MLflow model."""
    logged_examples.check_answer(header["protocol"], signature, answer)
    return {}, ()


TASKS: dict[str, Callable[..., TaskResult]] = {
    task.__name__: task
    for task in (
        expectation,
        expressions,
        numbers,
        gate_answer,
        query,
        requests,
        comparison,
        metrics,
        mlflow_run,
        mlflow_signature,
        mlflow_example,
        mlflow_request,
        mlflow_answer,
    )
}


def libraries(header: Header) -> frozenset[str]:
    """Returns the libraries that a task needs; they are imported before its clock starts."""
    names = set()
    if header["task"] in ("expectation", "expressions", "numbers", "comparison"):
        names.add("jsonpath_rfc9535")
    if header.get("condition"):
        names.add("jsonpath_rfc9535")
    if header.get("schema") is not None or any("schema" in c for c in header.get("checked") or ()):
        names.add("jsonschema")
    if any(selector["labels"] for selector in header.get("selectors") or ()):
        names.add("regex")
    if header["task"] in ("mlflow_signature", "mlflow_example"):
        names.add("yaml")
    return frozenset(names)


def done(header: Header, blobs: Sequence[bytes]) -> list[bytes]:
    """Carries a task out; the parts of its answer."""
    try:
        result, more = TASKS[header["task"]](header, *blobs)
    except EvaluationError as error:
        result, more = {"fault": error.reason, "text": str(error)[:1000]}, ()
    except MemoryError:
        raise
    except RecursionError:
        result, more = {"fault": ErrorReason.LIMIT, "text": "it is nested too deeply"}, ()
    except Exception as error:
        # A library's own fault on what a tenant wrote: no other evaluation is concerned.
        text = f"cannot be evaluated: {type(error).__name__}: {error}"
        result, more = {"fault": ErrorReason.INVALID, "text": text[:300]}, ()
    return [orjson.dumps(result), *more]
