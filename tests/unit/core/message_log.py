"""Collects the messages of decisions: a pytest plugin, and how `tests/golden/messages.md` is made.

`python -m pytest -p core.message_log --message-log FILE tests/unit/core` writes every text that
people read in the decisions of these tests, as JSON lines: the test, where the text appears, and
the text with its volatile parts (revisions, times, pods, numbers) replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from canarium.api.status import Failure, WaitingFor
from canarium.api.status.transition import TransitionType
from canarium.core import planner
from canarium.core.decision.plan import Plan
from canarium.core.phases import terminating
from canarium.core.status import unsupported
from canarium.simulation import cluster
from core import cluster as cluster_of_tests

_VOLATILE = (
    (re.compile(r"\(([a-z0-9]{8}(-\d+)?)\)"), "(<revision>)"),
    (re.compile(r"(?<=[a-z]=)[a-z0-9]{8}(-\d+)?(?=/<)"), "<revision>"),
    (re.compile(r"(?<=ersion )\S+(?= \(<revision>\))"), "<version>"),
    (re.compile(r"(?<=, token )[\w-]+"), "<token>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "<time>"),
    (re.compile(r"sha256:[0-9a-z]+"), "<digest>"),
    (re.compile(r"\b(?=[a-z0-9]*\d)(?=[a-z0-9]*[a-z])[a-z0-9]{8}(-\d+)?\b"), "<revision>"),
    (re.compile(r"(?<=<revision>/)[\w.-]+(?=: )"), "<token>"),
    (re.compile(r"\bpod/p\d+"), "pod/<pod>"),
    (re.compile(r"\bPod/p\d+"), "Pod/<pod>"),
    (re.compile(r"(?<![\w<.-])\d+(\.\d+)?(?=[%smh]?\b)"), "<n>"),
)

#: Where a text stands: part of the status, and the phase, type or reason.
Place = tuple[str, str]


def normalised(text: str) -> str:
    """Returns `text` without what differs from one run or model to the next."""
    for pattern, instead in _VOLATILE:
        text = pattern.sub(instead, text)
    return text


def texts(decision: Plan) -> Iterator[tuple[Place, str]]:
    """Yields all texts of a decision that people read."""
    status = decision.status
    reason = f" / {status.waiting_for.reason}" if status.waiting_for else ""
    yield ("Status message", f"{status.phase}{reason}"), status.message
    if status.waiting_for and (status.waiting_for.observed or status.waiting_for.threshold):
        yield ("Wait", status.waiting_for.reason), _evidence(status.waiting_for)
    for check in status.analysis.checks if status.analysis else ():
        yield ("Check", f"{check.verdict} / {check.reason}"), check.message
    if status.failure:
        yield ("Failure", status.failure.reason), status.failure.message
        yield ("Evidence", status.failure.reason), _evidence(status.failure)
    for warning in status.warnings:
        yield ("Warning", warning.reason), warning.message
    for command in status.commands:
        yield ("Command", f"{command.command} / {command.result}"), command.message
    for condition in status.conditions:
        if condition.message and condition.message != status.message:
            yield (
                ("Condition", f"{condition.type}={condition.status} / {condition.reason}"),
                (condition.message),
            )
    if decision.requests.tag:
        yield ("Tag", decision.requests.tag.state), decision.requests.tag.text
    for event in decision.events:
        yield ("Event", f"{event.kind} / {event.reason}"), event.message


def transition_texts(decision: Plan) -> Iterator[tuple[Place, str]]:
    """Yields the texts of transitions without an Event: the others are shown as Events."""
    for one in decision.status.transitions or ():
        if one.type == TransitionType.COMPLETED:
            yield ("Transition", one.type), one.message


def _evidence(of: WaitingFor | Failure) -> str:
    observed = f"observed {of.observed}" if of.observed else ""
    required = f"threshold {of.threshold}" if of.threshold else ""
    return ", ".join(x for x in (observed, required) if x)


def raw_texts(status: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yields the texts in the status of a model for which nothing is decided."""
    yield ("Status message", status["phase"]), status["message"]
    for c in status["conditions"]:
        if c["message"] and c["message"] != status["message"]:
            yield ("Condition", f"{c['type']}={c['status']} / {c['reason']}"), c["message"]


class Recorder:
    """Writes what is decided while tests run."""

    def __init__(self, file: Path) -> None:
        self._out = file.open("w")
        self._seen: set[tuple[str, Place, str]] = set()
        self._test = ""

    @pytest.hookimpl
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._test = nodeid

    def add(self, found: Iterator[tuple[Place, str]]) -> None:
        for place, text in found:
            entry = (self._test, place, normalised(text))
            if text and entry not in self._seen:
                self._seen.add(entry)
                self._out.write(json.dumps(entry) + "\n")
                self._out.flush()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--message-log", type=Path, help="write the messages of decisions there")


def pytest_configure(config: pytest.Config) -> None:
    file = config.getoption("--message-log")
    if file is None:
        return
    cluster_of_tests.reuse = False
    recorder = Recorder(file)
    config.pluginmanager.register(recorder)
    plan, terminated, rejected = planner.plan, terminating.status_of, unsupported.status_of
    transitions = cluster.with_transitions

    def planned(*args: Any, **named: Any) -> Plan:
        decision = plan(*args, **named)
        recorder.add(texts(decision))
        return decision

    def deleted(*args: Any, **named: Any) -> dict[str, Any]:
        status = terminated(*args, **named)
        recorder.add(raw_texts(status))
        return status

    def undecided(*args: Any, **named: Any) -> dict[str, Any]:
        status = rejected(*args, **named)
        recorder.add(raw_texts(status))
        return status

    def with_transitions(*args: Any, **named: Any) -> Plan:
        decision = transitions(*args, **named)
        recorder.add(transition_texts(decision))
        return decision

    planner.plan = cluster.plan = planned
    cluster.with_transitions = with_transitions
    terminating.status_of, unsupported.status_of = deleted, undecided
