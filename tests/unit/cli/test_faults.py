"""Every verb beside a kubectl, a cluster or a model that does not answer as it should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from canarium_cli.main import VERBS
from canarium_cli.reads import MODELS
from cli.standin import FAULTS, VERSIONS, Standin
from cli.test_plan import CANARY
from sweep import first
from view.samples import sample

_PLAIN = """
    get status why promote abort undo retry pause resume approve reject history diff logs events
    checks infer restart record report rerun
"""
#: Every verb with words that ask a cluster; the name of the model is always `fraud`.
ASKING: Mapping[str, tuple[str, ...]] = {
    **{verb: (verb, "fraud") for verb in _PLAIN.split()},
    "list": ("list",),
    "plan": ("plan", "--server", "-f", str(CANARY)),
    "runtimes": ("runtimes",),
    "ship": ("ship", "fraud", "--version", "8"),
    "rollback": ("rollback", "fraud", "--to", "1"),
    "doctor": ("doctor",),
    "dashboard": ("dashboard",),
    "top": ("top",),
    "version": ("version",),
}
#: More ways to ask, which begin with other requests.
VARIANTS = (
    ("get", "fraud", "-w"),
    ("list", "-w"),
    ("list", "-A"),
    ("logs", "fraud", "-f"),
    ("events", "fraud", "-w"),
    ("checks", "fraud", "-w"),
    ("ship", "fraud", "--version", "8", "--apply"),
    ("runtimes", "show", "vllm"),
    ("pause", "-l", "team=risk"),
)
#: Verbs, and ways to use them, that need neither kubectl nor a cluster.
ALONE = (
    ("simulate", "-f", str(CANARY)),
    ("lint", str(CANARY)),
    ("init", "fraud"),
    ("completion", "bash"),
    ("plan", "-f", str(CANARY)),
    ("runtimes", "list", "--offline"),
    ("version", "--client"),
)
#: Verbs that wait for the operator.
WAITING = ("promote", "abort", "undo", "retry", "pause", "resume", "status")
#: Verbs that are not about one model.
_FLEET = ("list", "plan", "runtimes", "doctor", "dashboard", "top", "version")
EVERY = (*ASKING.values(), *VARIANTS)
#: The quick loop has one fault for every verb, and every fault for one verb.
_CASES = [
    pytest.param(
        words,
        fault,
        marks=[] if words == ("get", "fraud") or fault == "forbidden" else [pytest.mark.slow],
    )
    for words in EVERY
    for fault in FAULTS
    if (fault != "unknown model" or not (words[0] in _FLEET or "-l" in words))
    and (words == ("get", "fraud") or not {"plugin", "certificate", "without"} & {*fault.split()})
]


def run(kubectl: Standin, words: tuple[str, ...]) -> tuple[int, str]:
    """Exit code and output; of `top`, at a terminal."""
    if words[0] == "top":
        code, shown = kubectl.run_at_terminal("", *words)
        return code, shown.replace("\r\n", "\n")
    done = kubectl.run(*words)
    assert done.out == "" or done.code in (0, 1, 3)
    return done.code, done.out + done.err


def assert_one_sentence(text: str) -> None:
    """Asserts that the only output is an error that states what to do."""
    assert len(text.splitlines()) == 1, text
    assert text.startswith("Error: ")
    assert text.endswith(".\n")
    assert "?." not in text
    assert "Traceback" not in text


def test_every_verb_is_tried() -> None:
    assert {*ASKING, *(words[0] for words in ALONE)} == set(VERBS)


@pytest.mark.parametrize(("words", "fault"), _CASES)
def test_fault_is_one_sentence_and_an_exit_code(
    kubectl: Standin, folder: Path, words: tuple[str, ...], fault: str
) -> None:
    err, code, sentence = FAULTS[fault]
    kubectl.is_broken(err)
    ended, text = run(kubectl, words)
    assert ended == code, text
    assert_one_sentence(text)
    assert sentence in text
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_missing_kubectl_is_one_sentence(
    kubectl: Standin, folder: Path, words: tuple[str, ...]
) -> None:
    kubectl.path = folder / "absent" / "kubectl"
    code, text = run(kubectl, words)
    assert code == 5, text
    assert_one_sentence(text)
    assert f"KUBECTL is {kubectl.path}, which is not a program" in text
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["absent", "directory", "text"])
def test_kubectl_that_cannot_be_run_is_one_sentence(
    kubectl: Standin, tmp_path: Path, name: str
) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "text").write_text("not a program")
    (tmp_path / "text").chmod(0o755)
    # A bare name is searched for on the PATH.
    kubectl.path = Path(name) if name == "absent" else tmp_path / name
    code, text = run(kubectl, ("get", "fraud"))
    assert code == 5, text
    assert_one_sentence(text)
    assert "set KUBECTL" in text


@pytest.mark.parametrize("words", ALONE, ids=" ".join)
def test_verb_that_needs_no_cluster_needs_no_kubectl(
    kubectl: Standin, words: tuple[str, ...]
) -> None:
    kubectl.path = Path("/absent/kubectl")
    code, text = run(kubectl, words)
    assert code == 0, text


@pytest.mark.parametrize(
    "out", first(["hello", "{}", r"\0377\0376", '{"kind":"List","items":["x",null]}'])
)
@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_answer_that_is_not_of_kubectl_is_one_sentence(
    kubectl: Standin, folder: Path, words: tuple[str, ...], out: str
) -> None:
    kubectl.prints(out)
    code, text = run(kubectl, words)
    assert code == 5, text
    assert_one_sentence(text)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "-f"),
        ("plan", "--server", "-f"),
        ("simulate", "-f"),
        ("runtimes", "list", "-f"),
        ("runtimes", "render", "-f"),
        ("runtimes", "list", "--offline", "-f"),
        ("lint",),
    ],
    ids=" ".join,
)
def test_file_with_one_wrong_document_is_refused_before_the_cluster_is_asked(
    kubectl: Standin, tmp_path: Path, words: tuple[str, ...]
) -> None:
    wrong = CANARY.read_text().replace("name: fraud", "name: churn").replace("weight:", "wait:")
    file = tmp_path / "models.yaml"
    file.write_text(f"{CANARY.read_text()}\n---\n{wrong}")
    done = kubectl.run(*words, str(file))
    text = done.out + done.err
    assert done.code == 2, text
    assert "spec.rollout.steps[" in text
    assert "models.yaml:" in text
    assert done.out == "" or words == ("lint",)
    assert words == ("lint",) or len(text.splitlines()) == 1
    assert kubectl.calls == []


def answer_all(kubectl: Standin, items: Sequence[Any]) -> None:
    """Lets kubectl answer every verb about the model among `items`."""
    by_kind: dict[str, list[Any]] = {}
    for item in items:
        by_kind.setdefault(item["kind"], []).append(item)
    (model,) = by_kind.pop("ModelDeployment")
    records = by_kind.pop("ControllerRevision")
    rest = [item for listed in by_kind.values() for item in listed]
    kubectl.answers("version", out=VERSIONS)
    for verb in ("auth", "annotate", "apply"):
        kubectl.answers(verb)
    kubectl.answers("patch", out=model)
    kubectl.answers("logs", out="a line\n")
    kubectl.answers("get", MODELS, "fraud", out=model)
    kubectl.answers("get", MODELS, out=_list(model))
    kubectl.lists(model)
    kubectl.answers("get", "controllerrevisions.apps", out=_list(*records))
    kubectl.answers("get", "events", out=_list())
    kubectl.answers("get", out=_list(*rest))


def _list(*items: Any) -> dict[str, Any]:
    return {"kind": "List", "items": items}


@pytest.mark.parametrize("answered", first([1, 2]))
@pytest.mark.parametrize(
    "words",
    [
        (*words, "--timeout", "0.2") if words[0] in WAITING else words
        for words in EVERY
        if words[0] not in ("top", "dashboard") and words[-1] not in ("-w", "-f")
    ],
    ids=" ".join,
)
def test_credentials_that_expire_meanwhile_leave_nothing_half_done(
    kubectl: Standin, folder: Path, words: tuple[str, ...], answered: int
) -> None:
    answer_all(kubectl, sample("step-pause")[0])
    kubectl.fails_after(answered, FAULTS["expired credentials"][0])
    done = kubectl.run(*words)
    changes = [call for call in kubectl.calls if {"annotate", "patch", "apply"} & {*call}]
    assert len([call for call in changes if "--dry-run=server" not in call]) <= 1
    if len(kubectl.calls) <= answered:
        # It needed no further request: no operator answers a command, and no gate of it waits.
        codes = {**dict.fromkeys(WAITING, 3), "approve": 7, "reject": 7, "rerun": 7}
        assert done.code == codes.get(words[0], 0)
    elif words[0] == "status":
        assert done.code == 5
        assert done.err.startswith("Connection lost: ")
        assert done.err.endswith("timeout while waiting for end\n")
    else:
        assert (done.code, done.out) == (5, "")
        assert_one_sentence(done.err)
        assert "log in again" in done.err
    assert list(folder.iterdir()) == []
