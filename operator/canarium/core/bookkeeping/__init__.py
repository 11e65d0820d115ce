"""Writes of every decision besides those of its phase.

Reading order: `traffic_record` (who is stable, and what was granted), `periods` and `images` (which
revision had traffic when), `records` (later facts on ControllerRevisions), `training_run` (lineage
of a model), `gates` and `gate_jobs` (results, and the Jobs that give them), `scaling`, `adoption`,
`restored_records`.

Invariants: what a crash must not lose is written before it takes effect, or in the same write.
Nothing here moves traffic.
"""
