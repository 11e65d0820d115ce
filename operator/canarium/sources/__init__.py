"""Asks systems of users about versions: registries of models (R26), and at web gates (R27).

References that move (an alias, a branch, a tag) are resolved to what cannot move.

Reading order: `registry_server` and `tracking_server` (requests, and what errors mean),
`mlflow_alias`, `hub_revision` and `oci_tag` (what a reference names), `challenges` (the schemes
of a server that asks for credentials), `credentials` (of the Secret), `platform` (proxies, and
authorities), `rate_limits` (HTTP 429), `registries` (one answer as a fact),
`shared_requests` and `resolver` (when a request is sent), `flapping` and `follower` (when it is
sent again);
`training_run` (the lineage of a model) and `lineage` (when it is read), `model_files` and
`example_reader` (its input example); `web_gates` (the decision of another system, until it
answers), `gate_jobs` (how the Job of a gate ended).

Invariants: a request is only sent for a record that is about to be stored or lacks its lineage, for
smoke tests that begin, for a reference that the model follows, or at a gate that waits, through the
client that checks addresses, within the share of the model's namespace and with the credentials of
that namespace alone. A result is a fact; nothing is decided here.
"""
