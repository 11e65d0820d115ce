"""The API of Canarium: resources as pydantic models, from which the CRDs are generated.

Reading order: `model_deployment` (the spec, part by part), `status` (what the operator stores and
people read), `runtime` (ModelRuntime and ClusterModelRuntime), `model_gate` (ModelGate),
`check_template` (CheckTemplate and ClusterCheckTemplate), `effective_spec` (the spec with its
defaults, which is all that decisions read), `reasons` (every condition type and reason, with its
meaning).

Invariants:

- Defaults are applied by the operator and never written back, so that a new default takes effect
  without an edit; `effective_spec` and its parts are the only place that knows them.
- What can be rejected is rejected by the API server at apply: by the schema, or by the CEL rules of
  `cel_rules`. `decode` reads what was stored by an older or newer release.
- Nothing here performs I/O or imports another package of the operator.
"""
