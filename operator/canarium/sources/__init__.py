"""Resolves references that move (an alias of a registry) to what cannot move (R26).

Reading order: `mlflow_alias` (the request, and what its answers mean), `credentials` (of the
Secret), `resolver` (when a request is sent).

Invariants: a request is only sent for a record that is about to be stored, through the client that
checks addresses, within the share of the model's namespace and with the credentials of that
namespace alone. A result is a fact; nothing is decided here.
"""
