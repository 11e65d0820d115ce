"""Verdicts on a candidate from measurements.

Reading order: `windows` (samples of pods), `measures` (shares, percentiles, rates), `statistics`
(more than chance?), `verdict` (Pass, Fail or Insufficient), `history` (the last verdicts of each
check).

Invariants: a pass needs positive evidence, and a missing value is never zero (R17).
`core.health.analysis_results` and `core.phases` decide what follows from a verdict.
"""
