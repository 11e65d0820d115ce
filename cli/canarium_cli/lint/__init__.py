"""Checks manifests without a cluster: everything that the API server and the operator would reject,
and what they would accept although it cannot work.

Reading order: `linter` (which checks apply to which object), `schema` (types and fields),
`structure` and `cel` (the rules of the CRD), `runtimes` (templates), `smoke_tests`, `analysis`
(queries, JSON paths, metrics), `samples` (whether a verdict can be reached), `sarif`.

Invariants: the models, rules and templates are those of the operator itself; nothing is restated
here. A finding always has a position and states what is valid.
"""
