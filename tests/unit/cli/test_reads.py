"""Reads about one model are bounded by its name or its label, however many models there are."""

from __future__ import annotations

import pytest

from cli.standin import Standin
from cli.test_faults import ASKING, WAITING, answer_all
from sweep import every
from view.samples import sample

#: `events` reads those of the namespace, and `report` logs of the operator.
_OF_A_MODEL = [
    verb
    for verb, words in ASKING.items()
    if words[1:2] == ("fraud",) and verb not in ("events", "report")
]


@pytest.mark.parametrize("verb", every(_OF_A_MODEL))
def test_read_about_a_model_names_it(kubectl: Standin, verb: str) -> None:
    answer_all(kubectl, sample("step-pause")[0])
    kubectl.run(*ASKING[verb], *(["--timeout", "0.2"] if verb in WAITING else []))
    reads = [call for call in kubectl.calls if "get" in call]
    assert reads
    for call in reads:
        assert "--all-namespaces" not in call
        # Watches list by path.
        by_path = any(
            word.startswith("--raw=") and "?fieldSelector=metadata.name%3Dfraud" in word
            for word in call
        )
        assert by_path or {"fraud", "--selector=canarium.dev/model=fraud"} & {*call}, call


_PODS_FORBIDDEN = "Error from server (Forbidden): pods is forbidden: jane cannot list pods"


@pytest.mark.parametrize("verb", ["get", "history", "events", "why"])
def test_kind_that_is_forbidden_does_not_hide_the_others(kubectl: Standin, verb: str) -> None:
    kinds = "deployments.apps,pods,horizontalpodautoscalers.autoscaling,services"
    kubectl.fails(_PODS_FORBIDDEN, "get", kinds)
    kubectl.fails(_PODS_FORBIDDEN, "get", "pods")
    answer_all(kubectl, sample("step-pause")[0])
    done = kubectl.run(verb, "fraud")
    assert done.code == 0, done.err
    assert done.out or verb == "events"
    # The others show no pods.
    note = "Not shown, since you may not list them: pods.\n" if verb in ("get", "events") else ""
    assert done.err.startswith(note)
    assert ("Not shown" in done.err) == bool(note)


def test_get_makes_three_reads(kubectl: Standin) -> None:
    answer_all(kubectl, sample("rolled-back")[0])
    assert kubectl.run("get", "fraud").code == 0
    assert len(kubectl.calls) == 3


def test_why_reads_the_model_only(kubectl: Standin) -> None:
    answer_all(kubectl, sample("step-pause")[0])
    assert kubectl.run("why", "fraud").code == 0
    assert len(kubectl.calls) == 1


@pytest.mark.parametrize("verb", ["logs", "infer"])
def test_verb_that_needs_the_pods_is_forbidden_without_them(kubectl: Standin, verb: str) -> None:
    kinds = "deployments.apps,pods,horizontalpodautoscalers.autoscaling,services"
    kubectl.fails(_PODS_FORBIDDEN, "get", kinds)
    kubectl.fails(_PODS_FORBIDDEN, "get", "pods")
    answer_all(kubectl, sample("step-pause")[0])
    assert kubectl.run(verb, "fraud").code == 5
