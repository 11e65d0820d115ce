"""How a weight is expressed, and how traffic is moved.

Reading order: `choice` (which router is in effect), `service_router` (by ready pods behind one
selector), `weighted_router` with `route_weights` and `route_repair` (by the weights of a route),
`preflight` (what keeps a route from working), `failover` and `capacity`.

Invariants: no write moves traffic from a revision with ready pods to one without (R0). Queries have
no side effects; writes are empty when what is wanted is in effect. The routers do not know each
other.
"""
