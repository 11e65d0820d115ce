"""What kubectl prints: its errors become exit codes, and its watches a stream of events."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest

from canarium_cli.exits import CliError, Exit
from canarium_cli.faults import fault
from canarium_cli.kubectl import Kubectl
from canarium_cli.streaming import Watch
from cli.standin import FAULTS, Standin


@pytest.mark.parametrize(
    ("stderr", "code"),
    [
        (
            'Error from server (NotFound): modeldeployments.canarium.dev "x" not found',
            Exit.NOT_FOUND,
        ),
        (
            'Error from server (Forbidden): pods is forbidden: User "a" cannot list pods',
            Exit.UNREACHABLE,
        ),
        (
            "error: You must be logged in to the server (Unauthorized)",
            Exit.UNREACHABLE,
        ),
        (
            'error: the server doesn\'t have a resource type "modeldeployments"',
            Exit.UNREACHABLE,
        ),
        ('error: context "x" does not exist', Exit.UNREACHABLE),
        (
            "E1128 14:00:00.000000 1 memcache.go:265] couldn't get current server API group list\n"
            "The connection to the server 127.0.0.1:9 was refused - is it right?",
            Exit.UNREACHABLE,
        ),
        ("Unable to connect to the server: getting credentials: exec: exit 1", Exit.UNREACHABLE),
        ("error: unknown flag: --output-watch-events", Exit.UNREACHABLE),
        ("Error from server (BadRequest): unable to parse requirement: found 'b'", Exit.USAGE),
        (
            "Error from server (BadRequest): found 'b', expected: ',' or 'end of string'",
            Exit.USAGE,
        ),
        ("Error from server: no preferred addresses found; known addresses: []", Exit.UNREACHABLE),
        ("", Exit.UNREACHABLE),
        *((err, Exit(code)) for err, code, _ in FAULTS.values()),
    ],
)
def test_errors_of_kubectl_become_exit_codes_in_one_line(stderr: str, code: Exit) -> None:
    found = fault(stderr)
    assert found.code is code
    assert "\n" not in found.message
    assert found.message.endswith(".")
    assert not re.match("(?i)error|[(]", found.message)
    assert not re.search("[?!.][.]", found.message)


@pytest.mark.parametrize(
    ("stderr", "sentence"),
    [
        (
            'The ModelDeployment "fraud" is invalid: \n* spec.a: Required value\n'
            "* spec.b: Invalid value: 3",
            'The ModelDeployment "fraud" is invalid: spec.a: Required value; '
            "spec.b: Invalid value: 3. Nothing was changed.",
        ),
        (
            'Error from server (Forbidden): admission webhook "policy.example.com" denied the '
            "request: no owner",
            'admission webhook "policy.example.com" denied the request: no owner. Nothing was '
            "changed.",
        ),
        (
            'Error from server (Forbidden): modeldeployments "fraud" is forbidden: '
            "ValidatingAdmissionPolicy 'approvals' with binding 'approvals' denied request: jane "
            "cannot decide",
            "modeldeployments \"fraud\" is forbidden: ValidatingAdmissionPolicy 'approvals' with "
            "binding 'approvals' denied request: jane cannot decide. Ask for the right, or use "
            "another --context or --as.",
        ),
        (
            'error: the server doesn\'t have a resource type "httproutes"',
            'the server doesn\'t have a resource type "httproutes". Install its CRD, or choose '
            "another --context.",
        ),
        (
            'Warning: deprecated\nerror: no server found for cluster "x"',
            'no server found for cluster "x". Check --cluster and the kubeconfig.',
        ),
    ],
)
def test_error_of_kubectl_has_the_words_that_count(stderr: str, sentence: str) -> None:
    assert fault(stderr).message == sentence


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("separator", ["", "\n"])
def test_watch_reads_events_however_they_are_printed(
    tmp_path: Path, indent: int | None, separator: str
) -> None:
    events = [
        {"type": "ADDED", "object": {"kind": "Pod", "metadata": {"name": 'a"}{é'}}},
        {"type": "DELETED", "object": {"kind": "Pod", "metadata": {"name": "b"}}},
    ]
    text = separator.join(json.dumps(e, indent=indent, ensure_ascii=False) for e in events)
    (tmp_path / "events").write_text(text)
    watch = Watch(["cat", str(tmp_path / "events")])
    found = list(watch)
    assert [kind for kind, _ in found] == ["ADDED", "DELETED"]
    assert [raw["metadata"]["name"] for _, raw in found] == ['a"}{é', "b"]
    assert watch.fault() is None


def test_answer_that_is_not_json_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\necho hello\n")
    os.chmod(program, program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("KUBECTL", str(program))
    with pytest.raises(CliError, match="did not answer with JSON"):
        Kubectl().get("pods")


def test_question_of_a_credential_plugin_is_in_the_error_when_it_waits_for_an_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\necho 'Open https://login.test, code ABC.' >&2\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("KUBECTL", str(program))
    with pytest.raises(CliError) as raised:
        Kubectl().run("get", "pods", limit=0.5)
    assert raised.value.code is Exit.UNREACHABLE
    assert (
        "within 0.5 s; it wrote: Open https://login.test, code ABC. Check the network, and log"
        in (raised.value.message)
    )


def test_plugin_that_refuses_to_run_without_a_terminal_gets_the_one_of_the_person(
    kubectl: Standin,
) -> None:
    kubectl.needs_terminal({"kind": "List", "items": []})
    code, shown = kubectl.run_at_terminal("", "list", "-n", "risk")
    assert (code, "No ModelDeployment" in shown) == (0, True), shown
    done = kubectl.run("list", "-n", "risk")
    assert done.code == 5
    assert "The credential plugin needs a terminal" in done.err


def test_kubectl_cannot_read_what_is_typed_for_the_program(kubectl: Standin) -> None:
    kubectl.serves("get", "#!/bin/sh\ncat >&2\nexit 1\n")
    code, shown = kubectl.run_at_terminal("secret\n", "list", "-n", "risk")
    assert code == 5
    assert "kubectl failed without a message" in shown
