"""The operator against a simulated cluster, in virtual time, with an adversary.

What is real: `core`, `render` and `engine` of the operator, with its caches, reflectors, queue,
workers and executor. What is simulated, each in a separate file:

- `server`: the API server. Versions, preconditions by uid and version, creation by POST,
  server-side apply with owners of fields (`fields`), merge patches, /scale, /status, deletion,
  histories that watches follow and that expire, and what it rejects (`admission`: immutable
  records and selectors, the CRD's schema of spec and status).
- `controllers`: Deployment → pods, Service → EndpointSlice (late), HPA → replicas, garbage
  collection by owner, nodes that stay silent.
- `kubelet`: pods from pending to ready or to one of the ways to fail; graceful ends, evictions
  with `DisruptionTarget`, lost nodes. Times are whole seconds, as Kubernetes writes them.
- `gateways`: a gateway that takes routes a little later, rejects them or stays silent; what its
  data plane leads to, now and lately.
- `client`: the operator's connection, with faults: writes rejected, or lost before or after their
  effect; requests that take time; watches that are late, doubled, cut, or answered with 410; and
  the death of the process before or after any write.
- `clock`: the event loop in virtual time. It jumps from timer to timer; the operator's own clock
  can be set wrong.

What is not: ReplicaSets (a Deployment owns its pods), paging of lists, TLS, kopf (its relist and
its `on.event` are imitated), the Lease, quotas, and real requests of callers: they are taken to
go to the endpoints. tests/integration proves on a real API server what is relied on here.

`operators` runs the operator in two forms over the same world: the decisions alone, with caches
that are always fresh (very many states), and the whole engine. `adversary` holds all that may
happen, as rules of a hypothesis state machine, `gateway_adversary` what may happen behind a Gateway
besides, and `network` the faults of requests and watches; `invariants` sees every
write of the operator and reports the rule of the design that it breaks (`route_invariants`: of
writes to routes; `capacity_invariants`: of writes to Deployments and autoscalers). A run ends in
calm: the model must arrive where its spec leads, and then write nothing any more.

    pytest tests/simulation                        what `make test` runs: the same every time
    pytest tests/simulation --simulation=nightly   many more runs, at random; the seed is printed

A falsifying example becomes a small test with a name: tests/simulation/test_regressions.py, or one
below tests/unit/core.
"""
