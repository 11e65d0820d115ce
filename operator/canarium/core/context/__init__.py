"""What the facts of one moment mean.

Reading order: `context` (`RolloutContext`, and the layers that it is built of), `stable` (who is
stable and why), `position` and `restored_progress` (how far the rollout is), `standby` (who answers
while stable has no ready pod), `router` (the port to what splits traffic), `commands`.

Invariants: a context never changes, and nothing here writes. Position and commands are the traffic
record's, clocks are the status': where they differ, the record decides.
"""
