"""Expresses weights and moves traffic.

Reading order: `choice` (which router is in effect), `service_router` (by ready pods behind one
selector), `weighted_router` with `route_weights` and `route_repair` (by the weights of a route),
`preflight` (what prevents a route from taking effect), `failover` and `capacity`.

Invariants: no write moves traffic from a revision with ready pods to one without (R0). Queries have
no side effects; writes are empty when the desired state is in effect. The routers are independent
of each other.
"""
