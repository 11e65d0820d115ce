"""How namespaces are divided into shards, and shards between leaders."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from canarium import GROUP
from canarium.kube.shards import Change, Leader, Shards, change, leaders_of, shard_of

NAMESPACES = [f"team-{number}" for number in range(1000)]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64])
def test_each_namespace_has_exactly_one_shard(count: int) -> None:
    assert {shard_of(one, count) for one in NAMESPACES} == set(range(count))


def test_shard_of_a_namespace_is_the_same_in_every_process_and_version() -> None:
    # Two versions that lead side by side during an upgrade have to agree.
    assert [shard_of(one, 4) for one in ("risk", "search", "ads", "default")] == [2, 3, 2, 1]


def test_shards_have_about_as_many_namespaces() -> None:
    sizes = Counter(shard_of(one, 4) for one in NAMESPACES)
    assert max(sizes.values()) < 1.2 * min(sizes.values())


def settled(live: dict[str, Shards], count: int) -> tuple[dict[str, Shards], int]:
    """The shares after every leader has carried out its change, and how many shards moved."""
    moved = 0
    for _ in range(2):
        changes = {name: change(name, live, count) for name in live}
        taken = [shard for one in changes.values() for shard in one.take]
        assert len(taken) == len(set(taken)), "two leaders take one shard"
        assert not set(taken) & set().union(*live.values()), "it is still another leader's"
        moved += sum(len(one.hand_over) for one in changes.values())
        live = {name: (live[name] | one.take) - one.hand_over for name, one in changes.items()}
    return live, moved


@pytest.mark.parametrize("seed", range(200))
def test_any_leaders_end_with_equal_shares_and_no_more_moves_than_needed(seed: int) -> None:
    chance = random.Random(seed)
    count, leaders = chance.randint(1, 16), chance.randint(1, 6)
    owners = [chance.choice([None, *range(leaders)]) for _ in range(count)]
    live = {
        f"pod-{leader}": frozenset(n for n, owner in enumerate(owners) if owner == leader)
        for leader in range(leaders)
    }
    after, moved = settled(live, count)
    sizes = [len(shards) for shards in after.values()]
    assert sorted(shard for shards in after.values() for shard in shards) == list(range(count))
    assert max(sizes) - min(sizes) <= 1
    least, larger = divmod(count, leaders)
    held = sorted((len(shards) for shards in live.values()), reverse=True)
    goal = [least + (place < larger) for place in range(leaders)]
    assert moved == sum(max(0, size - most) for size, most in zip(held, goal, strict=True))
    assert settled(after, count) == (after, 0)


def test_dead_leader_leaves_only_its_own_shards_to_the_others() -> None:
    live = {"a": frozenset({0, 3}), "b": frozenset({1})}
    assert change("b", live, 4).take == {2}
    assert change("a", live, 4) == Change()


def test_record_survives_the_way_through_an_annotation() -> None:
    leader = Leader("canarium-7d9f8b-x2k_4f1c2b3a_9a8b7c6d", frozenset({0, 3}), 17, 15.0)
    assert leaders_of({leader.key: leader.text(), f"{GROUP}/scope": "*"}) == {leader.name: leader}
    assert len(leader.key.partition("/")[2]) <= 63


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"leader": "a", "shards": 3}', "no"])
def test_record_that_was_edited_by_hand_does_not_count(text: str) -> None:
    assert leaders_of({Leader("a", frozenset(), 0, 15.0).key: text}) == {}
