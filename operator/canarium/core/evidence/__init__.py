"""What measurements say about a candidate.

Reading order: `windows` (samples of pods), `measures` (shares, percentiles, rates), `statistics`
(more than chance?), `verdict` (Pass, Fail or Insufficient).

Invariants: a pass needs positive evidence, and a missing value is never zero (R17). What follows
from a verdict is decided in `core.health.gates` and `core.phases`.
"""
