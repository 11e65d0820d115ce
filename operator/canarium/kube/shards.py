"""Divides namespaces between the leaders of one Lease: pure decisions over their records.

A namespace belongs to the shard that its name hashes to. A shard belongs to the leader whose record
lists it (decision 0087).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import orjson

from canarium import GROUP

#: The annotation with the record of a leader, by a hash of its name; and the prefix of all records.
RECORD = f"{GROUP}/leader-HASH"
RECORDS = RECORD.removesuffix("HASH")

#: Numbers of shards, from 0.
Shards = frozenset[int]


@lru_cache(maxsize=8192)
def shard_of(namespace: str, count: int) -> int:
    """Returns the shard of a namespace, from 0 to `count` - 1: the same in every process."""
    digest = hashlib.sha256(namespace.encode()).digest()
    return int.from_bytes(digest[:8]) % count


def holder_of(count: int) -> str:
    """Returns the holder of a Lease that the leaders of `count` shards hold together."""
    return f"{count} shards"


@dataclass(frozen=True, slots=True)
class Leader:
    """The record of a process: `duration` seconds after its last renewal was observed, others take
    its shards."""

    name: str
    shards: Shards
    renewals: int
    duration: float

    @property
    def key(self) -> str:
        """The annotation that has the record; a name itself may be too long for one."""
        return RECORDS + hashlib.sha256(self.name.encode()).hexdigest()[:16]

    def text(self) -> str:
        """Returns the record as text, the same for the same record."""
        body = {
            "leader": self.name,
            "shards": sorted(self.shards),
            "renewals": self.renewals,
            "seconds": self.duration,
        }
        return orjson.dumps(body).decode()


def leaders_of(annotations: Mapping[str, str]) -> dict[str, Leader]:
    """Returns the leaders with a valid record, by name."""
    records = (_read(text) for key, text in annotations.items() if key.startswith(RECORDS))
    return {leader.name: leader for leader in records if leader}


def _read(text: str) -> Leader | None:
    try:
        body = orjson.loads(text)
        return Leader(
            str(body["leader"]),
            frozenset(map(int, body["shards"])),
            int(body["renewals"]),
            float(body["seconds"]),
        )
    except (ValueError, TypeError, KeyError):
        # Edited by hand: its process finds that out at its next renewal, and ends.
        return None


@dataclass(frozen=True, slots=True)
class Change:
    """What a leader should take, since no live leader has it, and hand over to others."""

    take: Shards = frozenset()
    hand_over: Shards = frozenset()


def change(name: str, live: Mapping[str, Shards], count: int) -> Change:
    """Returns what leader `name` should take and hand over, so that `live` leaders share equally.

    Their shares differ by one at most. The larger ones are of those who have most now, so no more
    shards move than have to. Leaders with the same facts never decide to take the same shard.
    """
    order = sorted(live, key=lambda one: (-len(live[one]), one))
    least, larger = divmod(count, len(order))
    free = sorted(frozenset(range(count)).difference(*live.values()))
    for place, one in enumerate(order):
        size = least + (place < larger)
        missing = max(0, size - len(live[one]))
        if one == name:
            surplus = sorted(live[one])[size:]
            return Change(frozenset(free[:missing]), frozenset(surplus))
        free = free[missing:]
    return Change()
