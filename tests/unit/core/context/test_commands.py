"""R16: commands act once, on the revision that they name, and report what they did."""

from __future__ import annotations

import pytest

from canarium.api.status import CommandEcho, Status
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import ResolvedRuntime
from core.api_answers import no_runtime, over_quota
from core.cluster import Cluster, computed_once, spec
from sweep import every

rule = pytest.mark.rule
MANUAL = {"steps": [{"weight": 25, "pause": "Manual"}, {"weight": 50, "pause": "Manual"}]}


@computed_once
def rolling(seconds: float = 8, **rollout: object) -> Cluster:
    """Version 1 promoted, version 2 on its way for so long."""
    extra = {"rollout": {**MANUAL, "bakeTime": "20s", **rollout}}
    cluster = Cluster(spec("1", **extra)).run(10)
    cluster.spec = spec("2", **extra)
    return cluster.run(seconds)


def order(cluster: Cluster, command: str, version: str = "2", token: str = "t1") -> CommandEcho:
    """Issues the command and returns its result."""
    cluster.annotations[command] = f"{cluster.revision(version)}/{token}"
    cluster.settle()
    return next(a for a in cluster.status.commands if (a.command, a.token) == (command, token))


@rule("R16")
def test_manual_pause_waits_for_promote_and_each_token_ends_one_pause() -> None:
    cluster = rolling().run(900, tick=10)
    assert cluster.serving() == {"1": 3, "2": 1}
    assert "Then it moves to weight 50" in cluster.status.message
    assert order(cluster, "promote").result == "Accepted"
    cluster.run(900, tick=10)
    assert cluster.status.weight == 50
    order(cluster, "promote", token="t2")
    cluster.run(40)
    assert cluster.serving() == {"2": 3}
    assert cluster.status.history[0].outcome == "Promoted"


@rule("R16")
def test_promote_full_skips_the_remaining_steps_but_not_the_capacity() -> None:
    cluster = rolling()
    assert order(cluster, "promote-full").result == "Accepted"
    assert cluster.serving() == {"1": 3, "2": 1}, "three pods have to be ready first"
    cluster.run(5)
    assert cluster.serving() == {"2": 3}
    assert cluster.status.phase == "Baking"


@rule("R9", "R16")
def test_abort_removes_the_traffic_at_once_and_quarantines() -> None:
    cluster = rolling()
    assert order(cluster, "abort", token="why-not").result == "Accepted"
    assert cluster.serving() == {"1": 3}
    cluster.run(60)
    assert cluster.status.phase == "RolledBack"
    assert cluster.status.failure is not None
    assert cluster.status.failure.reason == "Aborted"
    assert cluster.status.history[0].by == "command abort/why-not"
    assert len(cluster.deployments) == 1


@rule("R9", "R16")
def test_retry_renders_a_new_record_and_repeats_the_steps() -> None:
    cluster = rolling()
    order(cluster, "abort")
    cluster.run(10)
    first = cluster.revision("2")
    assert order(cluster, "retry").result == "Accepted"
    cluster.run(20)
    assert cluster.revision("2") == f"{first}-2"
    assert cluster.serving() == {"1": 3, "2": 1}
    assert cluster.status.failure is None
    writes = cluster.writes
    cluster.run(60)
    assert cluster.writes == writes, "the token was consumed"


@rule("R16", "R21")
@pytest.mark.parametrize("rejected", [False, True])
def test_retry_that_cannot_be_carried_out_reports_why_and_is_not_consumed(rejected: bool) -> None:
    cluster = rolling()
    order(cluster, "abort")
    cluster.run(10)
    if rejected:
        cluster.rejection = over_quota(ObjectRef("ControllerRevision", "m-2"))
    else:
        cluster.runtime = no_runtime("r")
    first = cluster.revision("2")
    cluster.annotations["retry"] = f"{first}/again"
    cluster.run(10)
    assert cluster.status.phase == "Invalid"
    assert ("exceeded quota" if rejected else "there is no runtime r") in cluster.status.message
    assert "again" not in {a.token for a in cluster.status.commands}
    assert not [e for e in cluster.events if "again" in e.message]
    assert cluster.serving() == {"1": 3}
    cluster.rejection, cluster.runtime = None, ResolvedRuntime()
    cluster.run(10)
    assert cluster.revision("2") == f"{first}-2"
    assert cluster.serving() == {"1": 3, "2": 1}
    assert [a.result for a in cluster.status.commands if a.token == "again"] == ["Accepted"]
    assert [e.reason for e in cluster.events if "again" in e.message] == ["CommandAccepted"]


@rule("R15", "R16")
def test_undo_during_the_bake_returns_the_traffic() -> None:
    cluster = rolling(steps=[])
    assert cluster.status.phase == "Baking"
    assert order(cluster, "undo").result == "Accepted"
    assert cluster.serving() == {"1": 3}
    cluster.run(30)
    assert cluster.status.phase == "RolledBack"
    assert cluster.status.history[0].outcome == "Undone"
    retry = order(cluster, "retry")
    cluster.run(8)
    assert retry.result == "Accepted"
    assert cluster.serving() == {"2": 3}


@rule("R16")
def test_undo_after_the_bake_reports_that_no_version_is_warm() -> None:
    cluster = rolling(steps=[]).run(40)
    answer = order(cluster, "undo")
    assert (answer.result, cluster.serving()) == ("Ignored", {"2": 3})
    assert "the previous version is no longer running" in answer.message


@rule("R16")
@pytest.mark.parametrize("by", ["command", "spec"])
def test_pause_freezes_the_clocks_of_the_steps_and_never_a_rollback(by: str) -> None:
    cluster = rolling(8, steps=[{"weight": 25, "pause": "10s"}])
    if by == "command":
        order(cluster, "pause")
    else:
        cluster.spec = {**cluster.spec, "paused": True}
        cluster.settle()
    cluster.run(300, tick=2)
    assert cluster.serving() == {"1": 3, "2": 1}
    assert "paused by" in cluster.status.message
    if by == "command":
        order(cluster, "resume")
    else:
        cluster.spec = {**cluster.spec, "paused": False}
    cluster.run(2)
    assert cluster.serving() == {"1": 3, "2": 1}, "the rest of the step is still ahead"
    cluster.run(8)
    assert cluster.serving() == {"2": 3}


@rule("R8", "R16")
def test_paused_candidate_that_crashes_is_rolled_back() -> None:
    cluster = rolling()
    order(cluster, "pause")
    cluster.crash("2").run(5)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.phase == "RolledBack"


@rule("R15", "R16")
def test_pause_freezes_the_bake() -> None:
    cluster = rolling(steps=[])
    order(cluster, "pause")
    cluster.run(300, tick=2)
    assert cluster.status.phase == "Baking"
    order(cluster, "resume")
    cluster.run(25)
    assert cluster.status.phase == "Ready"


@rule("R16")
def test_paused_spec_keeps_a_new_version_from_starting() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2", paused=True)
    cluster.run(60)
    assert len(cluster.deployments) == 1
    assert "is not created while the rollout is paused by spec.paused" in cluster.status.message
    cluster.spec = spec("2")
    cluster.run(60)
    assert cluster.serving() == {"2": 3}


@rule("R16")
def test_abort_takes_precedence_over_all_commands() -> None:
    cluster = rolling()
    revision = cluster.revision("2")
    cluster.annotations = dict.fromkeys(("promote-full", "pause", "abort"), f"{revision}/x")
    cluster.settle()
    answers = {a.command: (a.result, a.message) for a in cluster.status.commands}
    assert answers["abort"][0] == "Accepted"
    assert answers["promote-full"] == ("Ignored", "superseded by abort")
    assert answers["pause"] == ("Ignored", "superseded by abort")
    assert cluster.serving() == {"1": 3}


@rule("R16")
@pytest.mark.parametrize(
    ("command", "value", "why"),
    [
        ("promote", "no-such-rev/1", "the current revision is"),
        ("promote", "{old}/1", "the current revision is"),
        ("promote", "garbage", "must be <revision>/<token>"),
        ("promote", "{new}/", "must be <revision>/<token>"),
        ("promote", "", "must be <revision>/<token>"),
        ("promte", "{new}/1", "unknown command. Known commands: abort"),
        ("retry", "{new}/1", "the revision has not failed"),
        ("undo", "{new}/1", "the revision is not promoted. Use abort to end a rollout"),
        ("resume", "{new}/1", "the rollout is not paused"),
    ],
)
def test_command_that_cannot_act_is_ignored_once_and_reports_why(
    command: str, value: str, why: str
) -> None:
    cluster = rolling()
    words = {"old": cluster.revision("1"), "new": cluster.revision("2")}
    cluster.annotations[command] = value.format(**words)
    events = len(cluster.events)
    cluster.run(60)
    assert cluster.serving() == {"1": 3, "2": 1}
    (answer,) = cluster.status.commands
    assert (answer.result, answer.command) == ("Ignored", command)
    assert why in answer.message
    assert [e.reason for e in cluster.events[events:]] == ["CommandIgnored"]


@rule("R16")
def test_promote_before_any_pause_is_ignored_for_good() -> None:
    cluster = rolling(1)
    assert order(cluster, "promote").message == "the rollout is not paused at a step"
    cluster.run(60)
    assert cluster.serving() == {"1": 3, "2": 1}


@rule("R16", "R18")
def test_consumed_token_does_not_act_again_when_the_status_is_lost() -> None:
    cluster = rolling()
    order(cluster, "promote")
    cluster.run(20)
    assert cluster.status.weight == 50
    cluster.status = Status()
    cluster.run(120)
    assert cluster.status.weight == 50, "the second pause is manual too"
    assert cluster.serving() == {"1": 3, "2": 3}


@rule("R16", "R18")
@pytest.mark.parametrize("command", ["abort", "retry", "undo", "promote", "promote-full"])
@pytest.mark.parametrize("write", every(range(6)))
def test_command_has_the_same_result_when_any_write_is_lost(command: str, write: int) -> None:
    def story(die: bool) -> Cluster:
        cluster = rolling(steps=[]) if command == "undo" else rolling()
        if command == "retry":
            order(cluster, "abort")
            cluster.run(10)
        if die:
            cluster.die_at = cluster.writes + write
        cluster.annotations[command] = f"{cluster.revision('2')}/t1"
        cluster.run(60)
        cluster.die_at = None
        return cluster

    whole, broken = story(False), story(True)
    assert broken.serving() == whole.serving()
    assert broken.status.phase == whole.status.phase
    echo = next(a for a in broken.status.commands if a.command == command)
    assert echo.result == "Accepted"
    reasons = [x.status.failure.reason if x.status.failure else None for x in (whole, broken)]
    assert reasons[0] == reasons[1]


@rule("R16", "R31")
def test_unknown_annotations_are_reported_once_however_many_there_are() -> None:  # H11
    cluster = rolling()
    events = len(cluster.events)
    cluster.annotations |= {f"typo-{n:05}": "a\nb" for n in range(13_000)}
    cluster.run(60)
    (answer,) = cluster.status.commands
    assert (answer.result, answer.command) == ("Ignored", "typo-00000")
    assert answer.revision == r"a\nb"
    assert answer.message.startswith(
        "unknown command, as are typo-00001, typo-00002, typo-00003 and others. Known commands:"
    )
    assert [e.reason for e in cluster.events[events:]] == ["CommandIgnored"]
    order(cluster, "promote-full")
    cluster.run(60)
    assert cluster.serving() == {"2": 3}, "commands act as ever"
