"""Frozen values that describe one moment, without any decision.

Reading order: `observed` (children of one ModelDeployment), `pods`, `revision` (identity of a
version), `resolution` (what a URI names that moves), `traffic_record` and `grant` (what is recorded
with traffic), `traffic` (who gets which share), `periods` and `images` (which revision had traffic
when, and what its pods ran).

Sources: live objects through the engine's cache; annotations, each read and written by one type
(`TrafficRecord`, `Grant`). A value that another client wrote there is ignored, never an error.
"""
