"""The engine: from watch events to writes, for all models of one process.

Path of a change: a watch (`cache.informers`) feeds a cache (`cache.store`), which projects the
object to facts and queues its model (`queue`). A worker (`workers`) takes the key, and the
`reconciler` decides with `canarium.core.planner.plan` and writes (`apply`, then `reporting`).

Reading order: `reconciler`, `cache.store`, `queue`, `apply.executor`, `reporting.status_scheduler`,
`engine`.

Invariants:

- A model is reconciled by one worker at a time.
- Decisions read only the caches. The answer to every write is observed by its cache at once, and
  the newest resourceVersion wins, so a decision never acts on state older than its own writes.
- All facts that a restart needs are in the cluster. What this process remembers (deferred status,
  rejections, backoff) may be lost at any moment.
- No module imports kopf; `canarium.host` hosts the engine.
"""
