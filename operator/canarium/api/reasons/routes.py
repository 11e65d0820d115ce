"""Reasons of the conditions `RouteAccepted` and `RouteConflicted`.

A gateway that rejects a route gives its own reason, such as `NoMatchingParent` or
`RefNotPermitted`; it is passed on as it is.
"""

from __future__ import annotations

from canarium.api.reasons.base import NOTHING, Reason

_KEEPS = "Keeps the weights that are in effect; does not begin a rollout."


class RouteReason(Reason):
    """Whether the route of a model is in effect, and why not."""

    ACCEPTED = (
        "Accepted",
        "Every gateway has accepted the current generation of the route.",
        "Nothing.",
        NOTHING,
    )
    PENDING = (
        "Pending",
        "A gateway has not confirmed the current generation yet.",
        "Waits for the gateway.",
        "If it lasts, check the gateway's controller.",
    )
    GATEWAY_API_MISSING = (
        "GatewayAPIMissing",
        "The cluster does not have the CRDs of the Gateway API.",
        _KEEPS,
        "Install the CRDs.",
    )
    GATEWAY_API_FORBIDDEN = (
        "GatewayAPIForbidden",
        "The operator may not list routes in this namespace.",
        _KEEPS,
        "Grant the permission.",
    )
    ISTIO_MISSING = (
        "IstioMissing",
        "The cluster does not have the CRDs of Istio.",
        _KEEPS,
        "Install Istio.",
    )
    ISTIO_FORBIDDEN = (
        "IstioForbidden",
        "The operator may not list VirtualServices in this namespace.",
        _KEEPS,
        "Grant the permission.",
    )
    GATEWAY_NOT_FOUND = (
        "GatewayNotFound",
        "A Gateway that the spec names does not exist.",
        _KEEPS,
        "Fix `spec.traffic.gateway.parentRefs`, or create the Gateway.",
    )
    NO_MATCHING_PARENT = (
        "NoMatchingParent",
        "The Gateway has no listener of the name or port in the spec.",
        _KEEPS,
        "Fix `sectionName` or `port`.",
    )
    NOT_ALLOWED_BY_LISTENERS = (
        "NotAllowedByListeners",
        "The Gateway does not accept routes from this namespace.",
        _KEEPS,
        "Set `allowedRoutes.namespaces` on a listener.",
    )
    UNSUPPORTED_BY_GATEWAY = (
        "UnsupportedByGateway",
        "The class of the Gateway lacks a feature that the spec uses.",
        _KEEPS,
        "Remove the field, or use another Gateway.",
    )
    NO_GRPC_PORT = (
        "NoGrpcPort",
        "A revision has no port named `grpc` for the GRPCRoute.",
        _KEEPS,
        "Add it to `spec.runtime.ports`.",
    )
    ROUTE_INVALID = (
        "RouteInvalid",
        "The API server rejects the route.",
        _KEEPS,
        "Fix the field that the message names.",
    )
    NAME_CONFLICT = (
        "NameConflict",
        "A route or Service of the same name exists and is not controlled by this model.",
        "Leaves the object untouched.",
        "Delete the object, or hand it over with `canarium.dev/adopt`.",
    )
    WRITE_REJECTED = (
        "WriteRejected",
        "The API server rejects the Service, or istiod the VirtualService.",
        "Repeats the write.",
        "Remove what rejects it.",
    )
    ROUTER_CHANGING = (
        "RouterChanging",
        "The route of the previous router is still being deleted.",
        "Continues when it is deleted.",
        NOTHING,
    )


class ConflictReason(Reason):
    """Which of two routes gets the requests that both claim."""

    OTHER_ROUTE_WINS = (
        "OtherRouteWins",
        "The other route receives the requests, so rollout weights have no effect.",
        "Continues the rollout.",
        "Change the hostname or the path of one of the routes.",
    )
    THIS_ROUTE_WINS = (
        "ThisRouteWins",
        "The route of this model gets the requests.",
        "Continues the rollout.",
        "Change the hostname or the path of one of the routes.",
    )
