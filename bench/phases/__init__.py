"""What is measured, one module for each part of an operator's life.

Reading order: `create`, `update` and `breaking` (rollouts and rollbacks of all objects), `idle` and
`restart` (an operator without work), `storm`, `throttled` and `faulty` (overload and failures, the
latter two over `backlog`), `commandline` (answers for a person).

Invariant: each phase returns figures and judges none of them; `bench.budgets` does.
"""
