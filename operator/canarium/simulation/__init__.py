"""A simulated cluster in virtual time, for tests of decisions and for the verb `simulate`.

Reading order: `kubernetes` (pods, endpoints, gateways), `cluster` (decisions carried out),
`scenario` (what happens), `signals` (tests, checks and gates), `rollout` (all of it) and `timeline`
(what resulted).

Invariants: decisions are those of `core.planner`; no clock, no randomness, no I/O.
"""
