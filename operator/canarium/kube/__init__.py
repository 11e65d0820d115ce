"""The Kubernetes client: requests, watches and caches, independent of Canarium's own kinds.

Reading order: `client` (the port that the engine uses), `http` (its implementation), `reflector`
and `cache` (list and watch into memory), `lease` (leader election), `shards` and `shared_lease` (of
several leaders). Around a request: `throttle` (our own limit), `limiter` (what the server admits),
`aggregated` (what models cause), `retries`, `credentials`, `trust`. Before the first import of the
client library: `lazy_client`.

Invariants:

- A write is sent only while the Lease is held, or the shard of its namespace (`http.Client`'s
  fence).
- A rollback waits for no other write of this process (`throttle.FIRST`).
- A cache replaces an object only by a newer resourceVersion.
- Time and randomness come from `clock.Timing`. Nothing here imports `canarium.core`.
"""
