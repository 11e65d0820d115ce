"""Interprets the facts of one moment.

Reading order: `context` (`RolloutContext` and its layers), `stable` (which revision is stable, and
why), `position` and `restored_progress` (how far the rollout is), `standby` (which revision serves
while stable has no ready pods), `router` (the port to what splits traffic), `commands`.

Invariants: a context never changes, and nothing here writes. Position and commands are stored in
the traffic record, clocks in the status; where they differ, the record decides.
"""
