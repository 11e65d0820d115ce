"""Where `make demo` runs, what it announces, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest

from demo import place
from demo.__main__ import main
from demo.registry.__main__ import main as registry
from sandbox import Mode, NoMode, Options, cluster, machine, paths
from sandbox.choice import Choice, Facts, duration

DOCKER = Facts(docker=True, kind=True)
ROOT = Facts(root=True, namespaces=True, can_install=True)
USER = Facts()


def parsed(words: list[str]) -> Options:
    return place.parse(words, "demo", "A demo.")


def chosen(words: list[str]) -> tuple[Choice, str]:
    return place.chosen(parsed(words), "about a minute")


@pytest.mark.parametrize(
    ("facts", "words", "mode", "announced"),
    [
        (DOCKER, [], Mode.KIND, "kind (Docker runs and kind is installed): starting takes about"),
        (ROOT, [], Mode.NATIVE, "8 to 20 minutes once, to build Kubernetes"),
        (USER, [], Mode.SIMULATED, "simulated decisions (no running Docker, not root"),
        (DOCKER, ["--mode", "simulated"], Mode.SIMULATED, "simulated decisions (asked for)"),
    ],
)
def test_best_place_is_taken_and_announced_unless_another_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, facts: Facts, words: list[str], mode: Mode, announced: str
) -> None:
    monkeypatch.setattr(machine, "look", lambda options: facts)
    choice, text = chosen(words)
    assert choice.mode is mode
    assert announced in text


def test_named_context_precedes_everything_and_needs_a_way_for_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    facts = Facts(named_cluster=True, docker=True, kind=True)
    monkeypatch.setattr(machine, "look", lambda options: facts)
    words = ["--context", "test", "--load-images", "k3d image import -c test"]
    assert parsed(words).loads == ["k3d", "image", "import", "-c", "test"]
    assert chosen(words)[0].mode is Mode.EXTERNAL
    with pytest.raises(NoMode, match="--context needs --load-images"):
        chosen(["--context", "test"])


def test_sandbox_of_an_earlier_demo_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "look", lambda options: DOCKER)
    folder = paths.folder(Options().name)
    folder.mkdir(parents=True)
    record = cluster._record(Options(), Mode.NATIVE, "a test")
    (folder / "sandbox.json").write_text(json.dumps(record))
    assert chosen([])[0].mode is Mode.NATIVE
    assert chosen(["--mode", "kind"])[0].mode is Mode.KIND


@pytest.mark.parametrize(
    ("mode", "facts", "text"),
    [
        (Mode.NATIVE, Facts(built=True), "a few seconds"),
        (Mode.NATIVE, Facts(), "8 to 20 minutes once, to build Kubernetes"),
        (Mode.NATIVE, Facts(released=True), "to download Kubernetes and build CoreDNS"),
        (Mode.SIMULATED, Facts(released=True), "some minutes once, to download Kubernetes"),
        (Mode.KIND, Facts(), "node image once"),
        (Mode.EXTERNAL, Facts(), "a second"),
    ],
)
def test_duration_depends_on_the_mode_and_on_what_is_built_or_released(
    mode: Mode, facts: Facts, text: str
) -> None:
    assert text in duration(mode, facts)


@pytest.mark.parametrize(("run", "name"), [(main, "demo"), (registry, "demo-registry")])
def test_mode_that_the_machine_lacks_is_one_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    run: Callable[[Sequence[str]], int],
    name: str,
) -> None:
    monkeypatch.setattr(machine, "look", lambda options: USER)
    assert run(["--mode", "kind"]) == 2
    assert capsys.readouterr().err == (
        f"{name}: kind: needs a running Docker engine and the kind binary\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("run", [main, registry])
def test_simulated_demo_shows_a_promotion_and_a_rollback(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    run: Callable[[Sequence[str]], int],
) -> None:
    monkeypatch.setattr(machine, "look", lambda options: USER)
    assert run([]) == 0
    shown = capfd.readouterr().out
    assert "without pods and traffic" in shown
    assert "Ready        █████ 100%" in shown
    assert "RolledBack   ░░░░░ 0%" in shown
