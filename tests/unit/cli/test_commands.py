"""Commands: what is written, who is asked, and which exit code the operator's answer gives."""

from __future__ import annotations

from typing import Any

import pytest

from cli.standin import FAULTS, Standin

MODELS = "modeldeployments.canarium.dev"
GET, ANNOTATE = ("get", MODELS), ("annotate", MODELS)
VERBS = ("promote", "abort", "undo", "retry", "pause", "resume")


def model(name: str = "fraud", weight: int = 25, **status: Any) -> dict[str, Any]:
    return {
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": "risk", "generation": 2},
        "status": {
            "observedGeneration": 2,
            "phase": "Progressing",
            "message": "Version 2 (bbbb2222) has weight 25",
            "weight": weight,
            "stable": {"revision": "aaaa1111", "version": "1"},
            "candidate": {"revision": "bbbb2222", "version": "2"},
            "progress": {"step": 0, "weight": 25, "steps": [{"weight": 25}, {"weight": 50}]},
            **status,
        },
    }


def test_command_is_an_annotation_with_the_revision_and_a_new_token(kubectl: Standin) -> None:
    kubectl.answers(*GET, out=model())
    kubectl.answers(*ANNOTATE)
    tokens = set()
    for _ in range(2):
        done = kubectl.run("promote", "fraud", "--no-wait")
        assert (done.code, done.err) == (0, "")
        words = kubectl.calls[-1]
        assert words[:4] == ["--namespace=risk", *ANNOTATE, "fraud"]
        assert words[5:] == ["--overwrite", "--field-manager=kubectl-modeldeploy"]
        name, _, value = words[4].partition("=")
        assert name == "canarium.dev/promote"
        revision, _, token = value.partition("/")
        assert revision == "bbbb2222"
        tokens.add(token)
    assert len(tokens) == 2


def test_full_promotion_is_a_separate_command(kubectl: Standin) -> None:
    kubectl.answers(*GET, out=model())
    kubectl.answers(*ANNOTATE)
    kubectl.run("promote", "--full", "fraud", "--no-wait")
    assert kubectl.calls[-1][4].startswith("canarium.dev/promote-full=bbbb2222/")


def test_dry_run_asks_the_server_and_prints_the_kubectl_command(kubectl: Standin) -> None:
    kubectl.answers(*GET, out=model())
    kubectl.answers(*ANNOTATE)
    done = kubectl.run("abort", "fraud", "--dry-run", "--context", "blue")
    assert done.code == 0
    assert "--dry-run=server" in kubectl.calls[-1]
    annotation = kubectl.calls[-1][5]
    assert done.out.split() == [
        *("kubectl", "--context=blue", "--namespace=risk", *ANNOTATE, "fraud"),
        *(annotation, "--overwrite"),
    ]


def test_named_revision_is_the_one_that_is_sent(kubectl: Standin) -> None:
    kubectl.answers(*GET, out=model())
    kubectl.answers(*ANNOTATE)
    kubectl.run("abort", "fraud", "--revision", "cccc3333", "--no-wait")
    assert kubectl.calls[-1][4].startswith("canarium.dev/abort=cccc3333/")
    odd = kubectl.run("abort", "fraud", "--revision", "x/y=z", "--no-wait")
    assert odd.code == 2


def test_missing_answer_is_a_timeout_that_states_what_to_check(kubectl: Standin) -> None:
    kubectl.answers(*GET, out=model())
    kubectl.answers(*ANNOTATE)
    done = kubectl.run("pause", "fraud", "--timeout", "0.2s")
    assert done.code == 3
    assert "Check that the operator runs, and that it manages namespace risk" in done.err
    assert "Status: Version 2 (bbbb2222) has weight 25" in done.err


def test_answer_to_another_token_is_none(kubectl: Standin) -> None:
    echo = {"command": "pause", "revision": "bbbb2222", "token": "1", "result": "Accepted"}
    kubectl.answers(*GET, out=model(commands=[echo]))
    kubectl.answers(*ANNOTATE)
    assert kubectl.run("pause", "fraud", "--timeout", "0.2s").code == 3


def test_unreachable_server_after_the_write_is_not_a_timeout(kubectl: Standin) -> None:
    kubectl.answers(*GET, out=model(), once=True)
    kubectl.answers(*ANNOTATE)
    kubectl.fails(FAULTS["unreachable"][0], "get")
    done = kubectl.run("pause", "fraud", "--timeout", "0.2s")
    assert done.code == 5
    assert "was refused" in done.err


def test_model_without_a_revision_is_not_written(kubectl: Standin) -> None:
    new = model()
    new["status"] = {}
    kubectl.answers(*GET, out=new)
    done = kubectl.run("promote", "fraud")
    assert done.code == 7
    assert "has no revision yet" in done.err
    assert len(kubectl.calls) == 1


def test_nothing_is_written_where_one_of_several_names_is_unknown(kubectl: Standin) -> None:
    kubectl.fails(FAULTS["unknown model"][0], *GET)
    done = kubectl.run("abort", "other", "fraud")
    assert done.code == 4
    assert [x[0] for x in kubectl.calls] == ["get"]


def test_selector_gives_the_command_to_each_model(kubectl: Standin) -> None:
    kubectl.answers(*GET, out={"kind": "List", "items": [model("a"), model("b")]})
    kubectl.answers(*ANNOTATE)
    done = kubectl.run("pause", "-l", "team=risk", "--no-wait")
    assert done.code == 0
    assert "--selector=team=risk" in kubectl.calls[0]
    assert [x[3] for x in kubectl.calls[1:]] == ["a", "b"]
    assert len({x[4] for x in kubectl.calls[1:]}) == 2


def test_one_refused_write_does_not_hold_up_the_others(kubectl: Standin) -> None:
    kubectl.answers(*GET, out={"kind": "List", "items": [model("a"), model("b")]})
    kubectl.fails(FAULTS["forbidden"][0], *ANNOTATE, "a")
    kubectl.answers(*ANNOTATE)
    done = kubectl.run("pause", "a", "b", "--no-wait")
    assert done.code == 5
    assert done.err.startswith("Error: a: pause bbbb2222: not sent: ")
    assert done.out.startswith("b: pause bbbb2222: sent")


def test_selector_that_matches_nothing_is_not_found(kubectl: Standin) -> None:
    kubectl.answers(*GET, out={"kind": "List", "items": []})
    done = kubectl.run("pause", "-l", "team=none")
    assert done.code == 4
    assert "No ModelDeployment has the labels team=none" in done.err


@pytest.mark.parametrize("words", [[], ["fraud", "-l", "a=b"]])
def test_names_and_selector_exclude_each_other(kubectl: Standin, words: list[str]) -> None:
    assert kubectl.run("promote", *words).code == 2
    assert kubectl.calls == []


def test_terminal_is_asked_before_traffic_moves(kubectl: Standin) -> None:
    kubectl.answers(*GET, out=model())
    kubectl.answers(*ANNOTATE)
    code, shown = kubectl.run_at_terminal("n\n", "promote", "fraud", "--no-wait")
    assert "moves traffic from 25 % to 50 % for version 2 (bbbb2222)" in shown
    assert code == 7
    assert [x[0] for x in kubectl.calls] == ["get"]
    code, _ = kubectl.run_at_terminal("y\n", "promote", "fraud", "--no-wait")
    assert code == 0
    assert kubectl.calls[-1][1] == "annotate"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["promote", "--yes"], {}),
        (["pause"], {}),
        # A candidate without traffic: its end moves none.
        (["abort"], {"weight": 0}),
    ],
)
def test_terminal_is_not_asked_where_no_traffic_moves_or_with_yes(
    kubectl: Standin, words: list[str], status: dict[str, Any]
) -> None:
    kubectl.answers(*GET, out=model(**status))
    kubectl.answers(*ANNOTATE)
    code, shown = kubectl.run_at_terminal("n\n", *words, "fraud", "--no-wait")
    assert code == 0
    assert "Continue?" not in shown


@pytest.mark.parametrize(
    ("err", "code"),
    [
        (
            'Error from server (Forbidden): modeldeployments "fraud" is forbidden: '
            "ValidatingAdmissionPolicy 'a' with binding 'a' denied request: no right",
            5,
        ),
        ('Error from server: admission webhook "a" denied the request: no owner', 7),
    ],
)
def test_refused_command_is_forbidden_or_not_accepted(
    kubectl: Standin, err: str, code: int
) -> None:
    kubectl.answers(*GET, out=model())
    kubectl.fails(err, *ANNOTATE)
    assert kubectl.run("abort", "fraud").code == code


def test_model_that_is_deleted_meanwhile_does_not_hide_the_answers_of_others(
    kubectl: Standin,
) -> None:
    both = {"kind": "List", "items": [model(), model("churn")]}
    kubectl.answers(*GET, "fraud", "churn", out=both, once=True)
    kubectl.fails(FAULTS["unknown model"][0], *GET, "fraud")
    kubectl.answers(*GET, "churn", out={"kind": "List", "items": [model("churn")]})
    kubectl.answers(*ANNOTATE)
    done = kubectl.run("pause", "fraud", "churn", "--timeout", "0.3")
    assert done.code == 4
    first, second = done.err.splitlines()
    assert first.startswith("Error: fraud: pause bbbb2222: ")
    assert '"fraud" not found' in first
    assert second.startswith("Error: churn: pause bbbb2222: no answer within")
