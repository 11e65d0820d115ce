"""Evaluates what tenants control (expressions, answers, metrics pages) in processes that can end.

Reading order: `errors` (the reasons for which there is no result), `frames` (messages on a pipe),
`tasks` (what a worker process can do, such as `documents`, `mlflow`, and `logged_examples` with
`answer_types`), `process` (that process), `schedule` (whose turn it is) and
`pool` (the operator's side).

Invariants: nothing here imports the rest of the operator, so that a worker starts quickly and
stays small; a task is a pure function from bytes to bytes; the limits of time and memory are
enforced by the kernel, so that no expression and no library has to cooperate.
"""
