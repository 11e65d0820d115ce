"""`canarium fetch`: brings a model to a folder, whole and checked, before its server starts.

It runs as an init container. What it has found out, or why it could not, is one line of JSON in
the termination message; the operator takes the digest, or the reason of the failure, from there.

Reading order: `cli` (options and exit codes), `download` (the whole of one fetch), `workspace` (a
folder that appears only when it is complete), the sources (`stores`, `http_source`, `registry`,
`mlflow_source`, `volumes`), `archives` (unpacking), `digest`, `verification` (with `signature`,
`signer`, `public_keys` and `certificates`), and `termination_message`.

Invariants: the server never sees a partial model. No path from a source leads out of the
model's folder. This package runs in its own image and imports only `api.uri`, `api.oci` and
`untrusted`.
"""
