"""Watches of a model and its children: nothing that happens between two requests is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote

import pytest

from canarium.view.objects import Objects
from canarium_cli.exits import CliError, Exit, Forbidden
from canarium_cli.following import Kind
from canarium_cli.kubectl import Kubectl
from canarium_cli.watching import POD, ModelWatch
from cli.standin import FAULTS, Standin
from cli.test_following import MODELS, PATH, model

_SPACE = "/namespaces/risk/"
_LABEL = f"?labelSelector={quote('canarium.dev/model=fraud', safe='')}"
_PODS = f"/api/v1{_SPACE}pods{_LABEL}"
_SERVICES = f"/api/v1{_SPACE}services{_LABEL}"
_DEPLOYMENTS = f"/apis/apps/v1{_SPACE}deployments{_LABEL}"
_RECORDS = f"/apis/apps/v1{_SPACE}controllerrevisions{_LABEL}"
_AUTOSCALERS = f"/apis/autoscaling/v2{_SPACE}horizontalpodautoscalers{_LABEL}"
_CHILDREN = (_PODS, _SERVICES, _DEPLOYMENTS, _RECORDS, _AUTOSCALERS)
_FORBIDDEN = (
    'Error from server (Forbidden): pods is forbidden: User "jane" cannot {} resource "pods" in '
    'API group "" in the namespace "risk"'
)


def listed(*items: Any, version: str = "7") -> dict[str, Any]:
    """A list as the API server sends it."""
    return {"kind": "List", "metadata": {"resourceVersion": version}, "items": list(items)}


def watched(path: str, version: str = "7") -> tuple[str, str]:
    """The words of a watch that begins at a version."""
    return "get", f"--raw={path}&watch=true&resourceVersion={version}"


def named(name: str, **more: Any) -> dict[str, Any]:
    """An object; the API server does not repeat the kind in lists."""
    return {"metadata": {"name": name, "uid": name}, **more}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, kubectl: Standin) -> None:
    """Follows again at once, with the stand-in."""
    monkeypatch.setattr("canarium_cli.following.RETRY", 0.1)
    monkeypatch.setenv("KUBECTL", str(kubectl.path))


def serves(kubectl: Standin) -> None:
    """Answers what a scenario has not answered before: a model in progress without children."""
    kubectl.answers("get", MODELS, out=model("Progressing"))
    kubectl.answers("get", f"--raw={PATH}", out=listed(model("Progressing")))
    for path in _CHILDREN:
        kubectl.answers(*watched(path))
        kubectl.answers("get", f"--raw={path}", out=listed())
    kubectl.answers(*watched(PATH))


def snapshots(most: int = 200) -> Iterator[Objects]:
    """What a watch of the model yields."""
    with ModelWatch(Kubectl(), "fraud", tick=0.05) as watch:
        yield from islice(watch, most)


def changes(show: Callable[[Objects], Any], count: int) -> list[Any]:
    """The first `count` different values of what is shown of the snapshots."""
    values: list[Any] = []
    for snapshot in snapshots():
        value = show(snapshot)
        if [value] != values[-1:]:
            values.append(value)
        if len(values) == count:
            break
    return values


@pytest.mark.parametrize(
    ("path", "kind", "show"),
    [
        (_AUTOSCALERS, "HorizontalPodAutoscaler", lambda s: s.autoscalers),
        (_RECORDS, "ControllerRevision", lambda s: s.records),
        (_SERVICES, "Service", lambda s: s.services),
        (_DEPLOYMENTS, "Deployment", lambda s: s.deployments),
        (_PODS, "Pod", lambda s: s.pods),
    ],
)
def test_every_kind_that_is_shown_is_watched_from_its_list_on(
    kubectl: Standin, path: str, kind: str, show: Callable[[Objects], Any]
) -> None:
    event = {"type": "MODIFIED", "object": named("a", kind=kind, changed=True)}
    kubectl.answers(*watched(path), out=event)
    kubectl.answers("get", f"--raw={path}", out=listed(named("a")), once=True)
    kubectl.answers("get", f"--raw={path}", out=listed(named("a", changed=True)))
    serves(kubectl)
    assert changes(lambda s: [x.get("changed", False) for x in show(s)], 2) == [[False], [True]]


def test_pod_that_was_deleted_after_the_first_read_disappears(kubectl: Standin) -> None:
    gone = {"type": "DELETED", "object": named("fraud-1", kind="Pod")}
    kubectl.answers(*watched(_PODS), out=gone)
    kubectl.answers("get", f"--raw={_PODS}", out=listed(named("fraud-1")), once=True)
    serves(kubectl)
    assert changes(lambda s: len(s.pods), 2) == [1, 0]


def test_pod_that_was_deleted_between_two_watches_disappears(kubectl: Standin) -> None:
    kubectl.answers("get", f"--raw={_PODS}", out=listed(named("fraud-1")), once=True)
    serves(kubectl)
    assert changes(lambda s: len(s.pods), 2) == [1, 0]


def test_objects_are_listed_again_after_a_version_that_has_expired(kubectl: Standin) -> None:
    expired = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
    kubectl.answers(*watched(_PODS), out=expired)
    kubectl.answers("get", f"--raw={_PODS}", out=listed(named("fraud-1")), once=True)
    serves(kubectl)
    outages = set()
    with ModelWatch(Kubectl(), "fraud", tick=0.05) as watch:
        for snapshot in islice(watch, 200):
            outages.add(watch.outage)
            if not snapshot.pods:
                break
    assert not snapshot.pods
    assert outages == {""}


def test_outage_lasts_until_the_kind_that_was_lost_is_current(kubectl: Standin) -> None:
    kubectl.answers("get", f"--raw={_PODS}", out=listed(), once=True)
    kubectl.fails(FAULTS["unreachable"][0], *watched(_PODS))
    kubectl.fails(FAULTS["unreachable"][0], "get", f"--raw={_PODS}")
    serves(kubectl)
    seen: list[str] = []
    with ModelWatch(Kubectl(), "fraud", tick=0.05) as watch:
        for _ in islice(watch, 400):
            # Of this kind only: the other watches end and begin again meanwhile.
            if watch.outage or seen:
                seen.append(watch.outage)
            if len(seen) == 20:
                break
    assert len(seen) == 20
    assert all("was refused" in words for words in seen)


def test_kinds_that_may_not_be_listed_are_left_out_and_named(
    kubectl: Standin, capsys: pytest.CaptureFixture[str]
) -> None:
    kubectl.fails(_FORBIDDEN.format("list"), "get", f"--raw={_PODS}")
    kubectl.answers("get", f"--raw={_DEPLOYMENTS}", out=listed(named("fraud-a")))
    serves(kubectl)
    first = next(snapshots())
    assert (len(first.deployments), len(first.pods)) == (1, 0)
    assert capsys.readouterr().err == "Not shown, since you may not list them: pods.\n"


def test_kind_that_may_not_be_watched_is_listed_again(kubectl: Standin) -> None:
    kubectl.fails(_FORBIDDEN.format("watch"), *watched(_PODS))
    kubectl.answers("get", f"--raw={_PODS}", out=listed(), once=True)
    kubectl.answers("get", f"--raw={_PODS}", out=listed(named("fraud-1")))
    serves(kubectl)
    assert changes(lambda s: len(s.pods), 2) == [0, 1]


def test_model_that_was_deleted_is_not_found(kubectl: Standin) -> None:
    kubectl.answers("get", MODELS, out=model("Progressing"))
    kubectl.answers("get", f"--raw={PATH}", out=listed())
    done = kubectl.run("status", "fraud", "--timeout", "20s")
    assert done.code == Exit.NOT_FOUND
    assert done.err == "Error: The ModelDeployment fraud was deleted.\n"


def test_model_that_is_deleted_during_a_watch_is_not_found(kubectl: Standin) -> None:
    kubectl.answers(*watched(PATH), out={"type": "DELETED", "object": model("Progressing")})
    serves(kubectl)
    with pytest.raises(CliError, match="was deleted"):
        list(snapshots())


def test_list_that_repeats_what_was_read_is_not_a_change(kubectl: Standin) -> None:
    again = model("Progressing")
    again["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    kubectl.answers(*watched(PATH))
    kubectl.answers("get", f"--raw={PATH}", out=listed(again))
    serves(kubectl)
    ticks = []
    with ModelWatch(Kubectl(), "fraud", tick=0.05) as watch:
        for _ in islice(watch, 20):
            ticks.append(watch.ticked)
    assert ticks == [False, *[True] * 19]
    assert ["get", f"--raw={PATH}"] in kubectl.calls


def test_only_kind_that_is_asked_for_has_to_be_readable(kubectl: Standin) -> None:
    kubectl.fails(_FORBIDDEN.format("list"), "get", f"--raw={_PODS}")
    serves(kubectl)
    with pytest.raises(Forbidden, match="pods is forbidden"), _only(POD) as watch:
        next(iter(watch))


def _only(kind: Kind) -> ModelWatch:
    return ModelWatch(Kubectl(), "fraud", kinds=(kind,))
