"""Built-in runtimes: how servers are started, probed and measured. One YAML file each.

Reading order: any file, with `canarium.api.runtime` (its fields) and `canarium.api.server` (fields
of the server); then `canarium.render.runtime_catalog`, which reads the files and chooses one.

Invariants: a file is named as in `spec.runtime.name` and is a complete ModelRuntime without a
namespace. A cluster's ModelRuntime or ClusterModelRuntime of the same name has priority. A change
here never restarts a pod: a revision keeps the runtime that it was rendered from (R1).

Sources of truth: these files for built-in runtimes; the table in docs/guides/runtimes.md is
generated from them.
"""
