"""Carries out the actions of a plan.

Reading order: `executor` (which action leads to which write), `desired` (manifests), `child_writer`
(one write, fenced by the UID of the object that we know), `records`, `adoption`, `drift`,
`merge_keys` and `drift_repair` (objects that another client changed), `rejections` (writes that the
API server rejects, and when they are retried), `deferred_deletes`.

Invariant: a write is sent only to an object that this model controls or may adopt (R24).
"""
