"""The state of the route, what the cluster rejects or holds up, and data that is damaged."""

from __future__ import annotations

from pydantic import Field

from canarium.api.reasons import RejectionReason
from canarium.api.route_kind import RouteKind
from canarium.api.status.part import StatusPart, Time


class RouteStatus(StatusPart):
    """The route of the model, if there is one."""

    group: str = Field(description="API group of the route, such as gateway.networking.k8s.io.")
    kind: str = Field(
        description="Kind of the route, such as HTTPRoute. Its name is that of the model."
    )
    generation: int = Field(0, description="Generation of the route that was last observed.")
    accepted: bool = Field(
        False, description="Whether every gateway of the route has accepted that generation."
    )
    accepted_time: Time | None = Field(None, description="When they accepted it.")

    @property
    def route_kind(self) -> RouteKind:
        """The kind with its group."""
        return RouteKind(self.group, self.kind)


class RejectedWrite(StatusPart):
    """A write that the API server, a quota or an admission policy rejects. It is retried."""

    object: str = Field(description="Kind and name of the object that could not be written.")
    reason: str = Field(description=f"What rejected it, one of {', '.join(RejectionReason)}.")
    message: str = Field("", description="Message of the system that rejected it.")
    start_time: Time = Field(description="When it was first rejected.")


class BlockedDeletion(StatusPart):
    """An object that is being deleted and that finalizers of other controllers keep."""

    object: str = Field(description="Kind and name of the object.")
    finalizers: tuple[str, ...] = Field((), description="The finalizers that keep it.")
    start_time: Time = Field(description="When it was deleted, or when the pod should have ended.")


class StatusWarning(StatusPart):
    """Something damaged that the operator ignores."""

    reason: str = Field(description="What is damaged, in one CamelCase word.")
    object: str = Field(description="The object, or the field of the status, that is damaged.")
    message: str = Field("", description="What is damaged and what follows, in a sentence.")
