"""Ten hostile namespaces beside a good one: how late are the good one's rollbacks?

`python -m bench.attack` runs it on a real API server with simulated pods. The pods' answers come
from a hostile server on loopback, the operator is a separate process.

Reading order: `server` (what hostile pods and services answer), `tenants` and `systems` (what is
applied), `pods` (a kubelet that only reports), `attack` (the run and its figures).
"""
