"""Health of versions: failures, obstacles, outages, smoke tests, analysis, and the autoscaler.

Reading order: `cause` and `containers` (what one container shows), `pods` (what one pod shows),
`failure_causes` (the table of what fails a revision), `candidate` (the same with the history of the
rollout), `smoke_tests`, `analysis_results`, `gate_results`, `obstacles` (what is not the version's
fault), `availability` and `outages` (whether any version serves), `autoscaling`.

Invariants: nothing here writes or moves traffic. Every cause names the pod and the numbers that
show it. Disruptions of pods are never held against their revision (R25). Texts of other systems
are quoted and never decide (R30).
"""
