"""Which sandbox a machine gets."""

from __future__ import annotations

import dataclasses

import pytest

from sandbox.choice import Facts, NoMode, choose
from sandbox.options import Mode

ROOT = Facts(root=True, namespaces=True, can_install=True)
USER = Facts()


def but(facts: Facts, **changes: object) -> Facts:
    return dataclasses.replace(facts, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "mode", "said"),
    [
        (but(ROOT, named_cluster=True, docker=True, kind=True), Mode.EXTERNAL, "you named"),
        (but(ROOT, docker=True, kind=True), Mode.KIND, "Docker runs"),
        (but(ROOT, docker=True), Mode.NATIVE, "no kind"),
        (but(ROOT, kind=True), Mode.NATIVE, "no running Docker"),
        (but(ROOT, namespaces=False), Mode.SIMULATED, "no right to make namespaces"),
        (but(ROOT, missing=("runc",), can_install=False), Mode.SIMULATED, "without runc"),
        (USER, Mode.SIMULATED, "not root"),
    ],
)
def test_takes_the_best_that_the_machine_offers(facts: Facts, mode: Mode, said: str) -> None:
    choice = choose(facts)
    assert (choice.mode, choice.install) == (mode, ())
    assert said in choice.reason


def test_names_the_command_that_would_make_a_real_node_possible() -> None:
    with pytest.raises(NoMode, match=r"apt-get install .* conntrack runc\n.*--install"):
        choose(but(ROOT, missing=("conntrack", "runc")))


def test_installs_what_is_missing_when_allowed() -> None:
    choice = choose(but(ROOT, missing=("conntrack", "runc")), install=True)
    assert (choice.mode, choice.install) == (Mode.NATIVE, ("conntrack", "runc"))


def test_machine_without_linux_and_docker_is_refused_with_advice() -> None:
    with pytest.raises(NoMode, match="not Linux; name a cluster"):
        choose(but(USER, linux=False))


@pytest.mark.parametrize("mode", [Mode.SIMULATED, Mode.CONTROL_PLANE, Mode.NATIVE])
def test_forced_mode_is_used(mode: Mode) -> None:
    assert choose(but(ROOT, docker=True, kind=True), mode).mode is mode


@pytest.mark.parametrize(
    ("facts", "mode", "said"),
    [
        (USER, Mode.NATIVE, "not root"),
        (USER, Mode.KIND, "kind binary"),
        (ROOT, Mode.EXTERNAL, "--kubeconfig"),
        (but(USER, linux=False), Mode.SIMULATED, "needs Linux"),
    ],
)
def test_forced_mode_that_is_unavailable_is_refused(facts: Facts, mode: Mode, said: str) -> None:
    with pytest.raises(NoMode, match=said):
        choose(facts, mode)
