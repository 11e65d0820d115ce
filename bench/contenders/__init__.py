"""The operators that are measured, each with its objects and its definition of done.

Reading order: `contender` (what all of them have in common), `canarium`, then `rollouts` and
`flagger`, which `builds` compiles from the modules in `bench/go`.

Invariant: every contender manages the same workload, in the same cluster and with the same limits.
"""
