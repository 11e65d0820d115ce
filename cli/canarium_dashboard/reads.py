"""What pages show, read with the rights of the person who asks."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable
from dataclasses import dataclass

from canarium import GROUP
from canarium.view.objects import MODEL_LABEL, Objects, Raw, part, text
from canarium_dashboard import paths
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.api import Api, ApiFault

#: Seconds for which the answer to "may this person do that?" holds.
REVIEW_SECONDS = 30.0
#: At most this many answers are kept, and so many namespaces are asked about.
_REVIEWS, _NAMESPACES = 10_000, 200


@dataclass(frozen=True, slots=True)
class ReadObjects:
    """The objects of a model, and the kinds that this person may not read, with the reason."""

    objects: Objects
    refused: dict[str, str]


class Reads:
    """Reads of one process, with a cache of the answers about rights."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._reviews: OrderedDict[tuple[str, ...], tuple[float, bool]] = OrderedDict()

    async def objects(self, identity: Identity, namespace: str, name: str) -> ReadObjects:
        """Returns a model and what belongs to it. Kinds that cannot be read are left out.

        Raises ApiFault when the model cannot be read.
        """
        selector = f"{MODEL_LABEL}={name}"

        async def listed(kind: str) -> list[Raw]:
            path = paths.children(kind, namespace)
            answer = await self.api.get(identity, path, labelSelector=selector)
            return [{**item, "kind": kind} for item in answer.get("items") or ()]

        async def events() -> list[Raw]:
            field = f"involvedObject.kind=ModelDeployment,involvedObject.name={name}"
            path = paths.events(namespace)
            answer = await self.api.get(identity, path, fieldSelector=field, limit="200")
            return [{**item, "kind": "Event"} for item in answer.get("items") or ()]

        refused: dict[str, str] = {}

        async def unless_refused(kind: str, reading: Awaitable[list[Raw]]) -> list[Raw]:
            try:
                return await reading
            except ApiFault as fault:
                if fault.status == 401:
                    raise
                refused[kind] = fault.message
                return []

        async def model() -> list[Raw]:
            return [await self.api.get(identity, paths.model(namespace, name))]

        (model_object,), *others = await asyncio.gather(
            model(),
            *(unless_refused(kind, listed(kind)) for kind in paths.CHILDREN),
            unless_refused("Event", events()),
        )
        kind = text(part(model_object, "status", "route"), "kind")
        if kind in paths.ROUTES:

            async def route() -> list[Raw]:
                path = paths.route(kind, namespace, name)
                return [{**await self.api.get(identity, path), "kind": kind}]

            others.append(await unless_refused(kind, route()))
        return ReadObjects(
            Objects.of(model_object, (item for part in others for item in part)), refused
        )

    async def may(
        self,
        identity: Identity,
        verb: str,
        namespace: str,
        name: str = "",
        resource: str = "",
        subresource: str = "",
    ) -> bool:
        """Whether the API server would allow this person a verb on models; no where it cannot be
        asked."""
        resource = resource or "modeldeployments"
        key = (identity.key, verb, namespace, name, resource, subresource)
        cached = self._reviews.get(key)
        if cached and time.monotonic() - cached[0] < REVIEW_SECONDS:
            return cached[1]
        wanted = {
            "verb": verb,
            "group": GROUP,
            "resource": resource,
            "namespace": namespace,
            "name": name,
            "subresource": subresource,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }
        try:
            answer = await self.api.post(identity, paths.REVIEWS, body)
        except ApiFault as fault:
            if fault.status == 401:
                raise
            return False
        allowed = part(answer, "status").get("allowed") is True
        self._reviews[key] = (time.monotonic(), allowed)
        self._reviews.move_to_end(key)
        while len(self._reviews) > _REVIEWS:
            self._reviews.popitem(last=False)
        return allowed

    async def user(self, identity: Identity) -> str:
        """Returns the user name of this person on the API server. Raises ApiFault."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = await self.api.post(identity, paths.SELF, body)
        return text(part(answer, "status", "userInfo"), "username")

    async def namespaces(self, identity: Identity, listed: tuple[str, ...]) -> list[str]:
        """Returns the namespaces whose models this person may list, where the whole cluster is
        forbidden: among those that can be listed, the configured ones, and that of the account."""
        candidates = dict.fromkeys(listed)
        try:
            answer = await self.api.get(identity, paths.NAMESPACES, limit=str(_NAMESPACES))
            candidates.update(
                dict.fromkeys(text(part(x, "metadata"), "name") for x in answer.get("items") or ())
            )
        except ApiFault as fault:
            if fault.status == 401:
                raise
        user = (await self.user(identity)).split(":")
        if user[:2] == ["system", "serviceaccount"] and len(user) == 4:
            candidates.setdefault(user[2])
        names = [name for name in candidates if name][:_NAMESPACES]
        allowed = await asyncio.gather(*(self.may(identity, "list", name) for name in names))
        return sorted(name for name, yes in zip(names, allowed, strict=True) if yes)
