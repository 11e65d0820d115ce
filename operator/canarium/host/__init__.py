"""Hosts the process: everything that starts it, probes it, and adapts kopf.

kopf provides the event loop, startup and cleanup hooks, and the watch of ModelDeployments; nothing
outside of this package imports it. Its quirks are isolated in `kopf_watch` (supervises the watch),
`kopf_retries` (survives errors that would end the process) and `kopf_storage` (no diff base).

Reading order: `process`, `app` (the composition root), `handlers`, `crd_check`,
`scope_conflicts`, `namespaces`.

Invariant: before the engine writes, the CRDs fit, the caches are warm, this process holds the
Lease, and no other operator manages the same namespaces.
"""
