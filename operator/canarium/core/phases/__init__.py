"""What the operator does in each phase of a rollout: one module per phase, named after it.

Reading order: `table` (theory, and which facts lead to which phase), `progressing` with `creating`,
`waiting` and `steps` (a rollout), `rollback`, `rolling_back` and `rolled_back` (its failure),
`baking` and `undo` (after the promotion), `ready` and `degraded` (at rest), `first_version`,
`starting` and `failed` (without a stable version), `invalid`, `takeover` and `scaled_to_zero`
(special cases), `reports` (what may be added to any of them). `terminating` is outside of the
table: it reports the deletion of a model.

Invariants: a phase is a pure function from a context to a `PhaseResult`. It moves traffic only by
the actions that the router returns, and only once per decision. It never deletes pods that may
receive traffic. Its messages follow docs/contributing/style.md, and tests/golden/messages.md shows
all of them.
"""
