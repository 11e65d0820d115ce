"""Any facts at all, made from the types themselves: what no cluster was ever seen to show, too.

Names, colours and times come from small pools, so that facts are about each other more often than
chance alone would have it. Made from a seed rather than by hypothesis: a status and its facts have
hundreds of fields, which take it seconds to draw and longer to shrink.
"""

from __future__ import annotations

import dataclasses
import enum
import random
import types
import typing
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from canarium.api.effective_analysis import EffectiveCheck
from canarium.api.effective_spec import effective_spec
from canarium.api.gates import WebGate
from canarium.api.model_deployment import Spec
from canarium.api.reasons import ConditionReason
from canarium.api.route_kind import GRPC_ROUTE, HTTP_ROUTE, VIRTUAL_SERVICE, RouteKind
from canarium.api.smoke_tests import JsonExpectation
from canarium.api.status import Status
from canarium.core.facts.check_templates import CheckTemplate
from canarium.core.facts.observed import Observed, ResolvedRuntime
from canarium.core.facts.revision import digest_v1, identity_v1, new_record
from canarium.core.times import stamp
from core.cluster import gateway_spec, spec

NOW = 1_000_000.0
#: Seconds before now at which things began, as a rule; the last is not over yet.
_AGES = (0.0, 0.5, 9.0, 11.0, 30.0, 61.0, 700.0, 1e5, -5.0)
SPECS = tuple(
    {**made(version), "rollout": {**made(version)["rollout"], **rollout}, **more}
    for made in (spec, gateway_spec)
    for version in ("1", "2")
    for rollout in (
        {},
        {"strategy": "BlueGreen", "steps": None},
        {"strategy": "Recreate", "steps": None},
        {"smokeTests": [{"path": "/"}]},
        {
            "gates": [
                {"name": "a", "before": "Traffic", "approval": {}},
                {"name": "b", "before": "Weight", "weight": 50, "approval": {}, "timeout": "30s"},
                {"name": "c", "before": "Finish", "approval": {}},
            ]
        },
        {"analysis": {"checks": [{"name": "e", "metric": "ErrorRate", "max": "1%"}]}},
        {"analysis": {"templates": [{"name": "a"}, {"name": "b", "args": {"max": "1%"}}]}},
    )
    for more in ({}, {"paused": True}, {"scaling": {"minReplicas": 2, "maxReplicas": 5}})
)
_IDENTITIES = {new_record(s, []).revision: s for s in SPECS}
REVISIONS = (*_IDENTITIES, "zzzzzzzz")
# One kind twice, so that a route in effect often has the kind that is wanted.
_ROUTE_KINDS = (HTTP_ROUTE, HTTP_ROUTE, GRPC_ROUTE, VIRTUAL_SERVICE)
_POOLS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("revision", "stable", "candidate", "quarantined", "previous"), REVISIONS),
    "after": REVISIONS,
    "color": ("blue", "green", "blue", "green", ""),
    "algorithm": ("v1",),
    "strategy": ("Canary", "BlueGreen", "Recreate"),
    "kind": tuple(kind.kind for kind in _ROUTE_KINDS),
    "group": tuple(kind.group for kind in _ROUTE_KINDS),
    "verdict": ("Quarantined",),
    "name": ("a", "b", "c", "d", "server"),
    "pod": ("a", "b"),
    "what": ("Service fraud", "HTTPRoute fraud", "Deployment a", "Deployment b"),
    "waiting": ("CrashLoopBackOff", "ImagePullBackOff", "ContainerCreating", "ErrImagePull"),
    "terminated": ("Error", "Completed", "OOMKilled"),
    "last_terminated": ("Error", "Completed", "OOMKilled", "Unknown"),
    "failure": ('{"reason": "x"}', "not json", "FailedCreate"),
    "images": (
        '{"server": "x@sha256:1"}',
        f'{{"{REVISIONS[0]}": {{"server": ["x@sha256:1", "y"]}}}}',
        "not json",
    ),
    "gates": (
        *(
            f'[{{"name": "{n}", "kind": "Approval", "before": "{before}", "result": {result}, '
            '"since": "1970-01-12T13:46:00.000Z"}]'
            for n, before in (
                ("a", "Traffic"),
                ("b", "Weight"),
                ("c", "Finish"),
                ("d", "Promotion"),
            )
            for result in ("null", '"Passed"', '"Rejected"')
        ),
        "not json",
    ),
    "check_templates": (
        '[{"kind": "CheckTemplate", "name": "a", "args": {}, "checks": '
        '[{"name": "e", "metric": "ErrorRate", "max": "1%"}]}]',
        '[{"kind": "CheckTemplate", "name": 1}, 2]',
        '[{"kind": "CheckTemplate", "name": "a", "args": {}, "checks": [{"later": 1}]}]',
        "not json",
    ),
    "rollout_settings": (
        '{"strategy": "Canary", "steps": [[10, "Manual"]]}',
        '{"strategy": "BlueGreen", "steps": []}',
        '{"strategy": "Canary", "steps": [[1]]}',
        "not json",
    ),
    "took_over": (
        '{"time": "2026-01-01T00:00:00.000Z"}',
        '{"time": "2026-01-01T00:00:00.000Z", "pause": "10s", "released": "promote/one"}',
        '{"time": 1}',
        "not json",
    ),
    "pause": ("Manual", "0s", "10s"),
    "analysis": ("Hold", "Promote"),
    "released": ("Elapsed", "promote/one", "Promotion"),
    "promoted_at": tuple(stamp(NOW - age) for age in _AGES),
    "traffic_since": (
        *(f"{r}/2026-01-01T00:00:00.000Z" for r in REVISIONS),
        f"{REVISIONS[0]}/x",
        "x",
        "/",
    ),
    "served": (
        *(f'[{{"revision": "{r}", "from": "2026-01-01T00:00:00.000Z"}}]' for r in REVISIONS),
        '[{"revision": 1, "from": "x"}]',
        "not json",
    ),
    "token": ("one", "two"),
    "command": ("promote", "abort", "undo", "pause"),
    # The API server's own; what stands in annotations may be anything.
    "created_at": ("2026-01-01T00:00:00Z",),
    "artifact": ("sha256:one", "sha256:two"),
    "signature": (
        '{"key": "sha256:k", "subject": "f", "digest": "sha256:s"}',
        '{"key": 1}',
        "not json",
    ),
    "digest": ("sha256:one",),
}
#: Times of a status edited by hand: none that a calendar has, and the last one.
_ODD = ("2024-99-99T99:99:99Z", "9999-12-31T23:59:59Z")
#: How often something is true, where that is not half of the time.
_ODDS = {
    "terminating": 0.15,
    "disrupted": 0.1,
    "scheduling_gated": 0.1,
    "init": 0.2,
    "owned": 0.9,
    "intact": 0.9,
}
#: Facts that hide all others where they stand.
_HIDING = {
    "rejections": (),
    "name_conflicts": (),
    "orphans": (),
    "owned_by_deleted": (),
    "runtime": ResolvedRuntime(),
    "route_api_error": None,
}
_HIDDEN = 0.1
_TEMPLATES = (
    '{"checks": [{"name": "e", "metric": "ErrorRate", "max": "1%"}]}',
    '{"args": [{"name": "max"}], "checks": [{"name": "f", "metric": "ErrorRate", "max": '
    '"{{ args.max }}"}]}',
    '{"checks": 1}',
    "not json",
)
_CHECKS = tuple(
    check
    for s in SPECS
    for analysis in (effective_spec(Spec.model_validate(s)).analysis,)
    for check in (analysis.checks if analysis else ())
)
_TEXT = ("", "x", "2026-01-01T00:00:00Z")
_COMMANDS = (
    "promote",
    "promote-full",
    "abort",
    "retry",
    "undo",
    "pause",
    "resume",
    "dance",
    "approve",
    "reject",
)


class Anything:
    """Facts of a seed: the same seed gives the same."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def spec(self) -> dict[str, Any]:
        return self._one(SPECS)

    def status(self) -> Status:
        """A status that the schema takes."""
        made: Status = self.of(Status)
        return made

    def observed(self) -> Observed:
        """Records are of the specs that there are, most of them whole; one Deployment each."""
        made: Observed = self.of(Observed)
        notes = [
            (
                self._one(_COMMANDS),
                self._one((*(f"{r}/{t}" for r in REVISIONS for t in ("one", "a")), "x", "/")),
            )
            for _ in range(self._chance.randrange(3))
        ]
        clear = {k: v for k, v in _HIDING.items() if self._chance.random() > _HIDDEN}
        return dataclasses.replace(
            made,
            **clear,
            records=tuple(_kept(r) for r in {r.revision: r for r in made.records}.values()),
            deployments=tuple({d.revision: d for d in made.deployments}.values()),
            annotations=tuple(notes),
        )

    def of(self, kind: Any, field: str = "") -> Any:
        """Anything of the type `kind`, which a field of the name `field` may hold."""
        origin, inside = typing.get_origin(kind), typing.get_args(kind)
        if origin is typing.Annotated:
            return self.of(inside[0], field)
        if origin in (typing.Union, types.UnionType):
            chosen = self._one(inside)
            return None if chosen is type(None) else self.of(chosen, field)
        if origin is typing.Literal:
            return self._one(inside)
        if origin is tuple and inside[-1] is Ellipsis:
            return tuple(self.of(inside[0], field) for _ in range(self._chance.randrange(4)))
        if origin is tuple:
            return tuple(self.of(i, field) for i in inside)
        if origin is frozenset:
            names = _POOLS["name"]
            return frozenset(self._chance.sample(names, self._chance.randrange(len(names))))
        if origin is not None:
            return {}
        return self._plain(kind, field)

    def _plain(self, kind: Any, field: str) -> Any:
        if kind is RouteKind:
            return self._one(_ROUTE_KINDS)
        if kind is WebGate:
            condition = self._one((None, JsonExpectation(path="$.approved")))
            return WebGate(url="https://gate.test/", interval="1m", condition=condition)
        if kind is EffectiveCheck:
            return self._one(_CHECKS)
        if kind is CheckTemplate:
            unusable = (ConditionReason.CHECK_TEMPLATE_NOT_FOUND, "cannot be read")
            name, text = self._one(("a", "b")), self._one(_TEMPLATES)
            return CheckTemplate("CheckTemplate", name, text, self._one((None, None, unusable)))
        if dataclasses.is_dataclass(kind) or issubclass(kind, BaseModel):
            hints = _hints(kind)
            names = (
                [f.name for f in dataclasses.fields(kind)]
                if dataclasses.is_dataclass(kind)
                else kind.model_fields
            )
            return kind(**{name: self._field(kind, name, hints[name]) for name in names})
        if issubclass(kind, enum.Enum):
            return self._one(list(kind))
        if kind is str:
            return self._one(_POOLS.get(field, _TEXT))
        if kind is float:
            return NOW - self._one(_AGES)
        if kind is bool:
            return self._chance.random() < _ODDS.get(field, 0.5)
        return self._chance.randrange(5)

    def _field(self, kind: Any, name: str, hint: Any) -> Any:
        if name == "weight":
            return self._one((0, 25, 50, 100))
        if name == "waited_seconds":
            return self._one((0.0, 5.0, 1e6))
        timed = name == "time" or name.endswith("_time")
        if timed and issubclass(kind, BaseModel):
            absent = type(None) in typing.get_args(hint) and self._chance.random() < 0.3
            odd = self._chance.random() < 0.05
            return None if absent else self._one(_ODD) if odd else stamp(NOW - self._one(_AGES))
        return self.of(hint, name)

    def _one(self, pool: Sequence[Any]) -> Any:
        return self._chance.choice(pool)


@lru_cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _kept(record: Any) -> Any:
    made = _IDENTITIES.get(record.revision)
    if made is None or not record.intact:
        return record
    identity = identity_v1(made)
    return dataclasses.replace(record, identity=identity, digest=digest_v1(identity))
