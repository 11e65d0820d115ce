"""The cluster that a measurement fills, and what is read from it and from the machine.

Reading order: `fresh` (an empty simulated cluster for each contender), `guard` (no other cluster is
used), `client`, `watching` and `pods` (the driver's requests), `audit` and `machine` (the figures).

Invariant: nothing here is shared with the operator, so a change of the operator does not change how
it is measured.
"""
