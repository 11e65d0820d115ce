"""The cache: the newer version wins, from any source and in any order."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from canarium.kube.cache import Cache
from kube.objects import Pod, project, raw


class Watched(Cache[Pod]):
    def __init__(self) -> None:
        super().__init__(project, self.changed)
        self.changes: list[tuple[str | None, str | None]] = []

    def changed(self, old: Pod | None, new: Pod | None) -> None:
        self.changes.append((old and old.phase, new and new.phase))

    @property
    def names(self) -> set[str]:
        return {name for _, name in self.items}


@pytest.fixture
def cache() -> Watched:
    return Watched()


def test_write_is_visible_at_once_and_older_events_are_dropped(cache: Watched) -> None:
    cache.observe(raw("a", "u", 130, "written"))
    cache.observe(raw("a", "u", 99, "before"))
    assert cache.items["ns", "a"].phase == "written"


def test_versions_are_compared_as_numbers(cache: Watched) -> None:
    cache.observe(raw("a", "u", 1000, "new"))
    cache.observe(raw("a", "u", 999, "old"))
    assert cache.items["ns", "a"].phase == "new"


def test_change_of_only_the_version_notifies_no_observer(cache: Watched) -> None:
    cache.observe(raw("a", "u", 1, "same"))
    cache.observe(raw("a", "u", 2, "same"))
    assert cache.changes == [(None, "same")]
    assert cache.items["ns", "a"].version == 2


def test_forgotten_object_is_not_revived_by_late_events(cache: Watched) -> None:
    cache.observe(raw("a", "u", 10))
    cache.forget("ns", "a", "u")
    cache.observe(raw("a", "u", 11, "terminating"))
    assert cache.names == set()
    cache.observe(raw("a", "u2", 12))
    assert cache.names == {"a"}


def test_forgetting_a_predecessor_spares_its_successor(cache: Watched) -> None:
    cache.observe(raw("a", "new", 20))
    cache.forget("ns", "a", "old")
    assert cache.names == {"a"}


def test_recreated_object_is_not_reverted_by_its_predecessor(cache: Watched) -> None:
    cache.observe(raw("a", "old", 10))
    cache.forget("ns", "a", "old")
    cache.observe(raw("a", "new", 20))
    cache.observe(raw("a", "old", 11, "late event"))
    assert cache.items["ns", "a"].uid == "new"


def test_object_that_lost_its_label_can_return(cache: Watched) -> None:
    cache.observe(raw("a", "u", 10))
    cache.forget("ns", "a", "u", 11)
    cache.observe(raw("a", "u", 10))
    assert cache.names == set(), "an event from before the deletion"
    cache.observe(raw("a", "u", 12))
    assert cache.names == {"a"}


def test_late_deletion_does_not_remove_a_later_write(cache: Watched) -> None:
    cache.observe(raw("a", "u", 12))
    cache.forget("ns", "a", "u", 11)
    assert cache.names == {"a"}
    cache.forget("ns", "a", "u", 13)
    assert cache.names == set()


def test_own_deletion_is_not_reverted_by_its_event(cache: Watched) -> None:
    cache.observe(raw("a", "u", 10))
    cache.forget("ns", "a", "u")
    cache.forget("ns", "a", "u", 11)
    cache.observe(raw("a", "u", 12))
    assert cache.names == set()
    assert cache._deleted == {"u": math.inf}


def scaled(known: Pod, before: int) -> Pod:
    return replace(known, version=before, phase="scaled")


def test_write_that_returns_another_object_is_read_back(cache: Watched) -> None:
    cache.observe(raw("a", "u", 10, "as it was"))
    cache.amend("ns", "a", 15, scaled)
    assert cache.items["ns", "a"].phase == "scaled"
    cache.observe(raw("a", "u", 14, "from before the write"))
    assert cache.items["ns", "a"].phase == "scaled"
    cache.observe(raw("a", "u", 15, "with all changes between"))
    assert cache.items["ns", "a"].phase == "with all changes between"


def test_answer_of_a_write_does_not_undo_an_event_that_was_faster(cache: Watched) -> None:
    cache.observe(raw("a", "u", 15, "event of the write"))
    cache.amend("ns", "a", 15, scaled)
    assert cache.items["ns", "a"].phase == "event of the write"


def test_amending_a_deleted_object_does_not_restore_it(cache: Watched) -> None:
    cache.amend("ns", "a", 15, scaled)
    assert cache.names == set()


def test_list_of_a_namespace_does_not_affect_others(cache: Watched) -> None:
    cache.observe(raw("a", "u", 1))
    cache.observe(raw("b", "v", 1, namespace="other"))
    cache.retain(set(), 5, "ns")
    assert cache.names == {"b"}
    cache.retain(set(), 5, None)
    assert cache.names == set()


def test_write_newer_than_the_list_survives_the_diff(cache: Watched) -> None:
    cache.observe(raw("mine", "u", 10))
    cache.retain(set(), 9, None)
    assert cache.names == {"mine"}


def test_namespace_that_is_left_can_be_followed_again(cache: Watched) -> None:
    cache.observe(raw("a", "u", 1))
    cache.drop("ns")
    assert cache.names == set()
    cache.observe(raw("a", "u", 1))
    assert cache.names == {"a"}
