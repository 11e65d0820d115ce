"""Hours of constant updates beside faults of the API server: does anything grow?

Reading order: `churn` (updates, some of which fail), `faults` (what the proxy before the API server
does meanwhile), `samples` (what is read from the operator, and how much of it grew), `__main__`.

Invariant: the run fails if a model does not reach its last version, or if anything grew over its
limit.
"""
