"""`simulate`: the timeline of examples, and what failures lead to.

To write the golden files again: `CANARIUM_GOLDEN=write pytest tests/unit/cli/test_simulate.py`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from canarium_cli.main import cli

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "cli"
CANARY = str(ROOT / "examples" / "canary.yaml")
JUDGED = str(ROOT / "examples" / "judged.yaml")


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["simulate", *words], input=stdin)


def moments(*words: str, stdin: str | None = None) -> list[dict[str, Any]]:
    done = run(*words, "-o", "json", stdin=stdin)
    assert done.exit_code == 0, done.output
    return list(json.loads(done.stdout))


def phases(found: list[dict[str, Any]]) -> list[str]:
    """The phases in order, each once."""
    listed = [x["phase"] for x in found]
    return [p for index, p in enumerate(listed) if index == 0 or listed[index - 1] != p]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("simulate-canary.txt", (CANARY,)),
        ("simulate-fail.txt", (CANARY, "--fail-at", "50")),
        ("simulate-no-traffic.txt", (JUDGED, "--no-traffic")),
    ],
)
def test_timeline_is_as_recorded(name: str, words: tuple[str, ...]) -> None:
    text = run("-f", *words).output
    if os.environ.get("CANARIUM_GOLDEN") == "write":
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


def test_weights_follow_the_steps_and_times_the_pauses() -> None:
    found = moments("-f", CANARY)
    assert phases(found) == ["Progressing", "Baking", "Ready"]
    weights = [x["effective_weight"] for x in found]
    assert weights == sorted(weights)
    assert set(weights) == {0, 25, 50, 100}
    first = {w: next(x["t"] for x in found if x["effective_weight"] == w) for w in set(weights)}
    # Pods take 20 s; each pause is 30 s, and the pods of the next step start after it.
    assert first == {0: 0.0, 25: 20.0, 50: 70.0, 100: 100.0}
    assert found[-1]["t"] == 400.0


@pytest.mark.parametrize(
    ("at", "highest", "expected"),
    [
        ("start", 0, ["Progressing", "RolledBack"]),
        ("25", 25, ["Progressing", "RolledBack"]),
        ("step2", 50, ["Progressing", "RolledBack"]),
        ("50%", 50, ["Progressing", "RolledBack"]),
        ("bake", 100, ["Progressing", "Baking", "RolledBack"]),
    ],
)
def test_failure_is_rolled_back_from_its_weight(at: str, highest: int, expected: list[str]) -> None:
    found = moments("-f", CANARY, "--fail-at", at)
    assert [p for p in phases(found) if p != "RollingBack"] == expected
    assert max(x["effective_weight"] for x in found) == highest
    assert found[-1]["effective_weight"] == 0
    assert "ServerExited" in found[-1]["message"]


@pytest.mark.parametrize(
    ("words", "highest", "reason"),
    [
        (("--failing", "check:errors"), 25, "AnalysisFailed: check errors"),
        (("--failing", "check:drift", "--fail-at", "50%"), 50, "AnalysisFailed: check drift"),
        (("--failing", "check:errors", "--fail-at", "bake"), 100, "AnalysisFailed: check errors"),
        (("--failing", "smoke:a known transaction"), 0, "SmokeTestFailed: smoke test a known"),
        (("--failing", "pods", "--fail-at", "step1"), 25, "ServerExited"),
    ],
)
def test_what_fails_can_be_chosen(words: tuple[str, ...], highest: int, reason: str) -> None:
    found = moments("-f", JUDGED, *words)
    assert phases(found)[-1] == "RolledBack"
    assert max(x["effective_weight"] for x in found) == highest
    assert reason in found[-1]["message"]


def test_failing_check_that_only_warns_or_holds_does_not_roll_back() -> None:
    text = Path(JUDGED).read_text()
    error = "- {name: errors, metric: ErrorRate, max: "
    for policy, phase in (("Warn", "Ready"), ("Hold", "Progressing")):
        other = text.replace(
            error, f"- {{name: errors, onFailure: {policy}, metric: ErrorRate, max: "
        )
        assert other != text
        found = moments("-f", "-", "--failing", "check:errors", stdin=other)
        assert phases(found)[-1] == phase


def test_slow_start_exceeds_the_progress_deadline() -> None:
    found = moments("-f", CANARY, "--slow-start", "1h")
    assert phases(found) == ["Progressing", "RolledBack"]
    assert "ProgressDeadlineExceeded" in found[-1]["message"]
    assert max(x["weight"] for x in found) == 0


def test_no_traffic_holds_a_rollout_whose_checks_need_samples() -> None:
    found = moments("-f", JUDGED, "--no-traffic")
    assert phases(found) == ["Progressing"]
    assert "NotEnoughSamples" in found[-1]["message"]
    assert phases(moments("-f", JUDGED))[-1] == "Ready"


def test_first_version_has_no_steps() -> None:
    found = moments("-f", CANARY, "--first")
    assert {x["effective_weight"] for x in found} <= {0, 100}
    assert found[-1]["phase"] == "Ready"


def test_manual_pause_is_promoted_and_other_strategies_end() -> None:
    text = Path(CANARY).read_text()
    assert phases(moments("-f", "-", stdin=text.replace("pause: 30s", "pause: Manual")))[-1] == (
        "Ready"
    )
    steps = "    steps:\n      - {weight: 25, pause: 30s}\n      - {weight: 50, pause: 30s}\n"
    for strategy in ("BlueGreen", "Recreate"):
        other = text.replace(steps, "").replace("strategy: Canary", f"strategy: {strategy}")
        assert phases(moments("-f", "-", stdin=other))[-1] == "Ready"


@pytest.mark.slow
def test_every_example_has_a_timeline_that_ends() -> None:
    for example in sorted((ROOT / "examples").glob("*.yaml")):
        found = moments("-f", str(example))
        assert found[-1]["phase"] == "Ready", example


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-f", "absent.yaml"), "Cannot be read"),
        (("-f", CANARY, "--fail-at", "33"), "the rollout never has this weight"),
        (("-f", CANARY, "--fail-at", "step9"), "the rollout has 2 steps"),
        (("-f", CANARY, "--fail-at", "soon"), "write a weight from 0 to 100"),
        (("-f", CANARY, "--failing", "pods"), "--failing pods needs --fail-at"),
        (("-f", CANARY, "--failing", "check:errors"), "no such check; it has: none."),
        (("-f", JUDGED, "--failing", "check:speed"), "no such check; it has: errors, latency"),
        (("-f", JUDGED, "--failing", "smoke:x"), "no such smoke test; it has: a known trans"),
        (("-f", JUDGED, "--failing", "luck"), "write pods, check:NAME or smoke:NAME"),
        (
            ("-f", JUDGED, "--failing", "check:errors", "--fail-at", "start"),
            "Checks are evaluated once there is traffic",
        ),
        (
            ("-f", JUDGED, "--failing", "smoke:a known transaction", "--fail-at", "25"),
            "Smoke tests run before the first traffic",
        ),
        (("-f", CANARY, "--name", "other"), "no ModelDeployment other. It has fraud."),
    ],
)
def test_wrong_argument_is_one_sentence(words: tuple[str, ...], message: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output


def test_file_with_one_wrong_document_is_refused() -> None:
    wrong = Path(CANARY).read_text() + "---\n" + Path(CANARY).read_text().replace("3", "three")
    done = run("-f", "-", stdin=wrong)
    assert done.exit_code == 2
    assert "<stdin>:" in done.output


def test_gates_of_each_kind_pass_as_soon_as_they_wait() -> None:
    model = yaml.safe_load(Path(CANARY).read_text())
    web = {"url": "https://risk.example/decide"}
    model["spec"]["rollout"]["gates"] = [
        {"name": "risk", "before": "Weight", "weight": 50, "web": web},
        {"name": "board", "before": "Promotion", "approval": {}},
        {"name": "eval", "before": "Traffic", "job": {"image": "eval:1"}},
    ]
    found = moments("-f", "-", stdin=yaml.safe_dump(model))
    messages = [one["message"] for one in found]
    assert any("waits for gate risk before weight 50" in text for text in messages)
    assert any("waits for approval of gate board" in text for text in messages)
    assert any("waits for gate eval before the first traffic" in text for text in messages)
    assert phases(found) == ["Progressing", "Baking", "Ready"]
