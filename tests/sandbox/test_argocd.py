"""The command line of Argo CD on demand, where there is none yet."""

from __future__ import annotations

import pytest

from sandbox.cli import main


def test_command_line_without_arguments_prints_the_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["argocd"]) == 0
    said = capsys.readouterr().out
    assert "sandbox argocd up" in said
    assert "sandbox argocd down" in said


@pytest.mark.parametrize("words", [["up"], ["down"], ["app", "list"]])
def test_command_line_without_a_sandbox_explains_how_to_start_one(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--name", "none", "argocd", *words]) == 1
    assert "no sandbox 'none'; `python -m sandbox up` starts one" in capsys.readouterr().err
