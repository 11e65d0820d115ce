"""Arguments that cannot be meant are usage errors, before the cluster is asked."""

from __future__ import annotations

import click
import pytest

from canarium_cli.main import VERBS, verb_first
from cli.standin import Standin

#: Verbs with the name of a model.
_PLAIN = """
    get status why history diff logs events checks promote abort undo retry approve reject
    pause resume infer ship restart record report rerun init runtimes
"""
#: Those, with what else they require.
_NAMED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_PLAIN.split(), ()),
    "rollback": ("--to", "1"),
}
_NAMES = ("name", "names")


def refused(kubectl: Standin, *words: str) -> str:
    """What is printed about arguments that are refused with 2 before kubectl runs."""
    done = kubectl.run(*words)
    assert (done.code, done.out) == (2, ""), (words, done)
    assert kubectl.calls == []
    return done.err


@pytest.mark.parametrize("name", ["", "Fraud", "team/fraud", "a b", "-", "a..b", "x" * 254])
@pytest.mark.parametrize("verb", sorted(_NAMED))
def test_name_that_no_object_can_have(kubectl: Standin, verb: str, name: str) -> None:
    words = ("show",) if verb == "runtimes" else ()
    assert "cannot be a name" in refused(kubectl, verb, *words, *_NAMED[verb], "--", name)


def test_every_verb_with_a_name_is_checked() -> None:
    from canarium_cli.main import cli

    with cli.make_context("kubectl modeldeploy", ["--help"], resilient_parsing=True) as context:
        commands = {verb: cli.get_command(context, verb) for verb in VERBS}
    found = {
        verb
        for verb, command in commands.items()
        if command
        and any(isinstance(p, click.Argument) and p.name in _NAMES for p in command.params)
    }
    assert found == set(_NAMED)


@pytest.mark.parametrize("namespace", ["", "Team", "a/b", "a.b", "x" * 64])
def test_namespace_that_cannot_exist(kubectl: Standin, namespace: str) -> None:
    assert "cannot be a namespace" in refused(kubectl, "list", "-n", namespace)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("list", "--phase", "Nope"), "is not one of 'Pending', 'Invalid', 'Failed'"),
        (("list", "--phase", "Ready", "--phase", ""), "is not one of"),
        (("list", "-o", "xml"), "is not one of 'text', 'wide', 'json', 'yaml', 'name'"),
        (
            ("get", "fraud", "--until", "ready"),
            "is not one of 'serving', 'gate', 'baked', 'end'",
        ),
        (("status", "fraud", "--until", ""), "is not one of 'serving', 'gate', 'baked', 'end'"),
        (("status", "fraud", "--timeout", "nan"), "is not a duration"),
        (("status", "fraud", "--timeout", "-5"), "is not a duration"),
        (("status", "fraud", "--timeout", "inf"), "is not a duration"),
        (("status", "fraud", "--revision", "a/b"), "is not a revision such as"),
        (("promote", "fraud", "--revision", "A!"), "is not a revision such as"),
        (("logs", "fraud", "--since", "yesterday"), "is not a duration"),
        (("get", "fraud", "--request-timeout", "soon"), "is not a duration"),
        (("get", "fraud", "--color", "pink"), "is not one of 'auto', 'always', 'never'"),
        (("logs", "fraud", "--tail", "-1"), "is not in the range"),
        (("completion", "csh"), "is not one of 'bash', 'zsh', 'fish'"),
    ],
)
def test_value_that_an_option_does_not_have(
    kubectl: Standin, words: tuple[str, ...], message: str
) -> None:
    assert message in refused(kubectl, *words)


def test_phase_is_found_in_any_case(kubectl: Standin) -> None:
    models = [
        {"kind": "ModelDeployment", "metadata": {"name": x.lower()}, "status": {"phase": x}}
        for x in ("Ready", "Failed", "RolledBack")
    ]
    kubectl.answers("get", out={"kind": "List", "items": models})
    done = kubectl.run("list", "--phase", "rolledback", "--phase", "Ready", "-o", "name")
    assert done.code == 0
    assert [line.partition("/")[2] for line in done.out.splitlines()] == ["rolledback", "ready"]


@pytest.mark.parametrize(
    ("written", "passed"), [("90", "90s"), ("5m", "5m"), ("500ms", "500ms"), ("1h30m", "1h30m")]
)
def test_duration_for_kubectl_has_a_unit(kubectl: Standin, written: str, passed: str) -> None:
    kubectl.answers("get", out={"kind": "List", "items": []})
    kubectl.run("list", "--request-timeout", written)
    assert f"--request-timeout={passed}" in kubectl.calls[0]


def test_unknown_verb_gets_the_closest_one(kubectl: Standin) -> None:
    assert "There is no command 'promte'. Did you mean promote?" in refused(kubectl, "promte", "x")
    assert "Did you mean" not in refused(kubectl, "zzz")


@pytest.mark.parametrize(
    ("words", "ordered"),
    [
        (["-n", "risk", "get", "fraud"], ["get", "-n", "risk", "fraud"]),
        (
            ["--context=a", "--as", "ann", "list", "-A"],
            ["list", "--context=a", "--as", "ann", "-A"],
        ),
        (["get", "-n", "risk"], ["get", "-n", "risk"]),
        (["--help"], ["--help"]),
        ([], []),
    ],
)
def test_options_of_the_cluster_may_precede_the_verb(words: list[str], ordered: list[str]) -> None:
    assert verb_first(words) == ordered


@pytest.mark.parametrize("words", [["-n"], ["-n", "risk"], ["--context=a"]])
def test_options_without_a_verb_are_explained(kubectl: Standin, words: list[str]) -> None:
    assert f"Name a verb after {' '.join(words)}" in refused(kubectl, *words)
