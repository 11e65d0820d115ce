"""The caches: live objects, projected to the facts that decisions need.

`store` holds a cache for each kind and finds the children of a model; `informers` keeps the caches
up to date. The other modules project one kind each: `model_deployments` (the spec, validated once
per version), `pods`, `projections` (the remaining children), `routes` and `istio`, `gateways`,
`runtimes`, `route_claims` (routes of other owners). `analysis_targets` and `volume_sources` read
the caches for signals.

Invariants: an object is replaced only by a newer resourceVersion; what is not needed by a decision
is dropped; what drift detection needs is kept compressed (`compression`).
"""
