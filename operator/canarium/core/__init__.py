"""Rollout decisions as a pure function.

`planner.plan(spec, settings, status, observed, …)` returns a `Plan`: the API writes to make, in
order, the status to publish, and when to decide again. Nothing in this package performs I/O, reads
a clock or keeps state: all that an operator needs to continue after a crash is in the observed
objects or in the status. The rules (R0, R1, …) are in `docs/contributing/rules.md`.

Reading order: `phases/table.py` (which phase is it?), the module of the phase (what is done
there?), `context/` (who is stable, who is the candidate?), `routing/` (how is a weight expressed?).

Sources of truth for who is stable, strongest first (`context/stable.py` has the theory): the
traffic record, which is written in the same patch as weights or selector; the status; live traffic;
records.
"""
