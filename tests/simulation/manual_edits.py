"""Manual edits: a user deletes or edits children, annotations and the status."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from canarium import GROUP
from canarium.kube import resources
from canarium.kube.errors import ApiError
from canarium.render import labels
from simulation.frame import SHORT, Frame
from simulation.server import PERSON
from simulation.world import KEY

#: A time that no calendar has, and one in the future.
_NEVER, _LAST = "2024-99-99T99:99:99Z", "9999-12-31T23:59:59Z"


class ManualEdits(Frame):
    """What a person may do to the operator's objects."""

    @rule(
        kind=st.sampled_from(
            (
                resources.DEPLOYMENTS,
                resources.SERVICES,
                resources.AUTOSCALERS,
                resources.RECORDS,
                resources.PODS,
            )
        ),
        which=st.integers(0, 9),
        after=SHORT,
    )
    def child_is_deleted(self, kind: Any, which: int, after: float) -> None:
        found = list(self.world.server.all(kind, labels.MODEL))
        if found:
            meta = found[which % len(found)]["metadata"]
            self.world.server.delete(kind, (meta["namespace"], meta["name"]), actor=PERSON)
            self.checks.forgive()
        self.let(after)

    @rule(
        kind=st.sampled_from((resources.DEPLOYMENTS, resources.SERVICES, resources.AUTOSCALERS)),
        which=st.integers(0, 3),
        after=SHORT,
    )
    def child_loses_its_labels(self, kind: Any, which: int, after: float) -> None:
        found = list(self.world.server.all(kind, labels.MODEL))
        if found:
            meta = found[which % len(found)]["metadata"]
            patch = {"metadata": {"labels": {labels.MODEL: None}}}
            key = (meta["namespace"], meta["name"])
            self.world.server.merge(kind, key, patch, PERSON)
        self.let(after)

    @rule(
        label=st.sampled_from((labels.COLOR, labels.COLOR, labels.REVISION, labels.MODEL)),
        part=st.sampled_from(("stable", "candidate", "previous")),
        spared=st.sampled_from((0, 0, 1)),
        after=SHORT,
    )
    def pods_lose_a_label(self, label: str, part: str, spared: int, after: float) -> None:
        """The ReplicaSet releases and replaces them."""
        revision = (self.world.status().get(part) or {}).get("revision")
        for pod in self.world.pods(revision)[spared:] if revision else ():
            key = (KEY[0], pod["metadata"]["name"])
            patch = {"metadata": {"labels": {label: None}}}
            self.world.server.merge(resources.PODS, key, patch, PERSON)
        self.let(after)

    @rule(which=st.integers(0, 3), what=st.sampled_from(("image", "replicas")), after=SHORT)
    def deployment_is_edited(self, which: int, what: str, after: float) -> None:
        found = list(self.world.server.all(resources.DEPLOYMENTS, labels.MODEL))
        if found:
            obj = found[which % len(found)]
            key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
            if what == "replicas":
                self.world.server.scale(key, obj["spec"]["replicas"] + 1, PERSON)
            else:
                template = obj["spec"]["template"]
                container = {**template["spec"]["containers"][0], "image": "model:by-hand"}
                spec = {"template": {"spec": {"containers": [container]}}}
                self.world.server.merge(resources.DEPLOYMENTS, key, {"spec": spec}, PERSON)
        self.let(after)

    @rule(color=st.sampled_from(("blue", "green", "none", None)), after=SHORT)
    def service_is_edited(self, color: str | None, after: float) -> None:
        if self.world.service():
            patch = {"spec": {"selector": {labels.COLOR: color}}}
            self.world.server.merge(resources.SERVICES, KEY, patch, PERSON)
        self.let(after)

    @rule(
        note=st.sampled_from(
            (
                *(labels.STABLE, labels.CANDIDATE, labels.QUARANTINED, labels.SINCE),
                labels.ANNOTATIONS["traffic_since"],
            )
        ),
        after=SHORT,
    )
    def service_note_is_removed(self, note: str, after: float) -> None:
        if self.world.service():
            patch = {"metadata": {"annotations": {note: None}}}
            self.world.server.merge(resources.SERVICES, KEY, patch, PERSON)
            self.checks.forgive()
        self.let(after)

    @rule(which=st.integers(0, 9), note=st.sampled_from(("verdict", "served")), after=SHORT)
    def record_note_is_removed(self, which: int, note: str, after: float) -> None:
        found = list(self.world.server.all(resources.RECORDS, labels.MODEL))
        if found:
            meta = found[which % len(found)]["metadata"]
            patch = {"metadata": {"annotations": {f"{GROUP}/{note}": None}}}
            key = (meta["namespace"], meta["name"])
            self.world.server.merge(resources.RECORDS, key, patch, PERSON)
            self.checks.forgive()
        self.let(after)

    @rule(
        edit=st.sampled_from(
            (
                None,
                {"stable": None},
                {"candidate": None},
                {"progress": None},
                {"progress": {"step": 64, "weight": 100}},
                {"progress": {"step": 0, "weight": 50, "waitedSeconds": 1e6}},
                {"bakeStartTime": None},
                {"bakeStartTime": "soon"},
                {"stableUnavailableStartTime": "?"},
                {"bakeStartTime": "2001-01-01T00:00:00Z"},
                {"bakeStartTime": _NEVER},
                {"bakeStartTime": _LAST},
                {"stableUnavailableStartTime": _LAST},
                {"progress": {"step": 0, "weight": 50, "stepStartTime": _LAST}},
                {"progress": {"step": 0, "weight": 0, "waitStartTime": _NEVER}},
                {"pause": {"startTime": _LAST, "source": "Command", "revision": "gone"}},
                {"failure": None},
                {"history": []},
                {"phase": "Baking", "weight": 7},
            )
        ),
        after=SHORT,
    )
    def status_is_edited(self, edit: dict[str, Any] | None, after: float) -> None:
        model = self.world.model()
        status = None if edit is None else {**self.world.status(), **edit}
        body = {**model, "status": status and {k: v for k, v in status.items() if v is not None}}
        with suppress(ApiError):  # Edits that the schema rejects are not a case.
            self.world.server.put_status(resources.MODELS, KEY, body, PERSON)
        self.checks.forgive()
        self.let(after)
