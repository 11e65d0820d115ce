"""`list -w` without a terminal, for logs of pipelines: a line for each model that changed."""

from __future__ import annotations

import json
import select
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from canarium.core.times import parse
from canarium.view.fleet import Row, fleet, later, row
from canarium_cli.fleet_watch import FleetWatch
from canarium_cli.kubectl import Kubectl
from canarium_cli.reads import namespace_of
from canarium_cli.verbs.list import _cells
from cli.standin import FAULTS, Standin
from cli.test_following import model

_PATH = "/apis/canarium.dev/v1alpha1/namespaces/risk/modeldeployments"


def named(name: str, phase: str, **status: Any) -> dict[str, Any]:
    raw = model(phase, **status)
    raw["metadata"] |= {"name": name, "creationTimestamp": "2026-11-28T14:00:00Z"}
    return raw


def event(change: str, raw: dict[str, Any]) -> str:
    return json.dumps({"type": change, "object": raw}) + "\n"


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    """The next lines of a process, without ages and the times of waits."""
    assert process.stdout
    return [" ".join(process.stdout.readline().split()) for _ in range(count)]


def is_silent(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether a process prints nothing for a time."""
    assert process.stdout
    return not select.select([process.stdout], [], [], seconds)[0]


@pytest.mark.slow
def test_list_watch_prints_a_line_for_each_model_that_changed(kubectl: Standin) -> None:
    first = [named("calm", "Ready"), named("fraud", "Progressing", step="1/4")]
    answer = {"kind": "List", "metadata": {"resourceVersion": "7"}, "items": first}
    then = [
        event("MODIFIED", named("calm", "Ready", message="of no column")),
        event("MODIFIED", named("fraud", "Progressing", step="2/4")),
        event("ADDED", {**named("new", ""), "status": None}),
    ]
    kubectl.answers("config", "view", out="risk")
    events = json.dumps("".join(then))
    script = f"""#!{{python}}
import sys, time, json
if "watch=true" in sys.argv[2]:
    time.sleep(0.5)
    sys.stdout.write(json.loads({events!r}))
    sys.stdout.flush()
    time.sleep(60)
assert sys.argv[2] == "--raw={_PATH}", sys.argv
print({json.dumps(answer)!r})
"""
    kubectl.serves("get", script)
    process = kubectl.start("list", "--watch")
    try:
        head, *rows = lines(process, 3)
        assert head.startswith("NAME PHASE")
        assert {row.split()[0] for row in rows} == {"fraud", "calm"}
        changed, new = lines(process, 2)
        assert changed.startswith("fraud Progressing")
        assert " 2/4 " in changed
        assert new.startswith("new Pending")
        # Ages rise every second, which does not count as a change.
        assert is_silent(process, 2.5)
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.slow
def test_list_watch_names_models_that_were_deleted_and_an_outage_once(kubectl: Standin) -> None:
    answer = {"kind": "List", "metadata": {"resourceVersion": "7"}, "items": [named("a", "Ready")]}
    kubectl.answers("config", "view", out="risk")
    kubectl.answers("get", f"--raw={_PATH}", out=answer, once=True)
    deleted = event("DELETED", named("a", "Ready"))
    kubectl.answers("get", f"--raw={_PATH}?watch=true&resourceVersion=7", out=deleted)
    kubectl.fails(FAULTS["unreachable"][0], "get")
    process = kubectl.start("list", "--watch")
    try:
        *_, gone, lost = lines(process, 4)
        assert gone == "a is not listed any more"
        assert lost.startswith("Connection lost: ")
        assert is_silent(process, 2.5)
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.parametrize(
    ("context", "pod", "expected"),
    [("risk", "", "risk"), ("", "", "default"), (None, "own", "own")],
)
def test_namespace_is_that_of_the_context_or_of_the_pod(
    kubectl: Standin,
    monkeypatch: pytest.MonkeyPatch,
    context: str | None,
    pod: str,
    expected: str,
) -> None:
    monkeypatch.setenv("KUBECTL", str(kubectl.path))
    monkeypatch.setenv("POD_NAMESPACE", pod)
    if context is None:
        kubectl.fails("error: current-context must exist in order to minify", "config")
    else:
        kubectl.answers("config", "view", out=context)
    assert namespace_of(Kubectl()) == expected
    assert namespace_of(Kubectl(namespace="given")) == "given"


def test_error_of_the_program_is_shown_as_a_fault(
    kubectl: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECTL", str(kubectl.path))
    kubectl.answers("config", "view", out="risk")
    kubectl.lists(named("a", "Ready"), namespace="risk")
    change = event("MODIFIED", named("a", "Ready"))
    kubectl.answers("get", f"--raw={_PATH}?watch=true&resourceVersion=7", out=change)
    with_error = iter([row, lambda *_: 1 / 0])
    monkeypatch.setattr("canarium_cli.fleet_watch.row", lambda *x: next(with_error, row)(*x))
    monkeypatch.setattr("canarium_cli.following.RETRY", 60.0)
    with FleetWatch(Kubectl(), None, everywhere=False) as models:
        models.update(20.0)
        assert models.fault.startswith("ZeroDivisionError: division by zero. This is a bug")


def test_change_of_one_model_makes_one_line(
    kubectl: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"m-{number:03}" for number in range(200)]
    kubectl.answers("config", "view", out="risk")
    kubectl.lists(*(named(name, "Ready") for name in names), namespace="risk")
    kubectl.answers("get", out="")
    changes = iter([set(), {("risk", "m-007")}, set()])

    def update(watch: FleetWatch, _: float) -> set[tuple[str, str]]:
        try:
            changed = next(changes)
        except StopIteration:
            raise KeyboardInterrupt from None
        for key in changed:
            seen = watch.model(key)
            assert seen
            watch._models[key] = replace(seen, row=replace(seen.row, version="2026-11-30-rc1"))
        return changed

    made: list[str] = []

    def cells(row: Row, *more: Any) -> Any:
        made.append(row.name)
        return _cells(row, *more)

    monkeypatch.setattr(FleetWatch, "update", update)
    monkeypatch.setattr(FleetWatch, "fault", "")
    monkeypatch.setattr("canarium_cli.verbs.list._cells", cells)
    done = kubectl.run("list", "-w")
    assert done.code == 0
    assert made == [*names, "m-007"]
    head, *rows, last = done.out.splitlines()
    assert [row.split()[0] for row in rows] == names
    # Columns to the left of the one that is wider now stay below their heads.
    assert last.split()[:3] == ["m-007", "Ready", "2026-11-30-rc1"]
    assert last.index("Ready") == head.index("PHASE")
    assert last.index("2026") == head.index("VERSION")


def test_ages_of_a_line_pass_without_its_model() -> None:
    raw = named("a", "Progressing")
    raw["status"]["waitingFor"] = {"reason": "Pause", "expectedEndTime": "2026-11-28T14:00:30Z"}
    (one,) = fleet([raw], parse("2026-11-28T14:00:10Z"))
    assert later(one, 5.0) == fleet([raw], parse("2026-11-28T14:00:15Z"))[0]
    assert later(one, 60.0).remaining_seconds == 0.0
