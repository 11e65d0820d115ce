"""Renders manifests: pure functions from specs and stored records to Kubernetes objects.

Reading order: `runtime_catalog` (which runtime), `runtime` and `jinja` (the server), `pod` and
`fetch_container` (the pod template of a new revision), `workload` (the objects of every model),
`gateway`, `istio` and `routes` (the objects of weighted routers).

Invariants:

- A Deployment is rendered from its stored record alone, so that an upgrade restarts no pod (R1).
- Labels and annotations are an allow-list (`labels`), never copied from the model (R2).
- Defaults come from `canarium.api`; manifests are compared with golden files in tests/golden.
"""
