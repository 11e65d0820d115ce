"""A simulated cluster in virtual time, for tests of decisions and for the verb `simulate`.

Reading order: `kubernetes` (pods, endpoints, gateways), `cluster` (decisions carried out) and
`story` (a rollout as a timeline).

Invariants: decisions are those of `core.planner`; no clock, no randomness, no I/O.
"""
