"""Resolves references that move (an alias of a registry) to what cannot move (R26).

Reading order: `tracking_server` (requests, and what errors mean), `mlflow_alias` (what an alias
names), `credentials` (of the Secret), `registries` (one answer as a fact), `resolver` (when a
request is sent), `follower` (when it is sent again); `training_run` (the lineage of a model) and
`lineage` (when it is read).

Invariants: a request is only sent for a record that is about to be stored or lacks its lineage, or
for a reference that the model follows, through the client that checks addresses, within the share
of the model's namespace and with the credentials of that namespace alone. A result is a fact;
nothing is decided here.
"""
