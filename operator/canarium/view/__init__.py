"""What people see of a model: one tree, made from objects of the API server.

Reading order: `tree` (what there is to see), `objects` (what it is made from), `model`
(`view(objects, now)`), then the parts: `steps`, `revisions`, `pods`, `attention` and
`explanation`; `fleet` has a line per model.

Invariants: everything here is pure, and reads raw objects, since the objects may come from an
operator that is older or newer than this code: a field that is missing or odd is shown as unknown
and never an error. Nothing imports pydantic, because the command line starts with every command.

Sources of truth: the status of the model for all that the operator decided, the children for what
runs, and `api.reasons` for what a reason means.
"""
