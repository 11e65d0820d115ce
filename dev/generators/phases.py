"""The reference page of the phases, made from their table."""

from __future__ import annotations

from canarium.api.states import Phase
from canarium.core.context.commands import COMMANDS
from canarium.core.phases.table import TABLE

#: Phases without a row: name, facts, action.
BESIDE = (
    (
        Phase.PENDING,
        "The operator has not processed the model yet.",
        "None. If the phase does not change, the operator is not running, or the namespace is "
        "outside its scope.",
    ),
    (
        Phase.TERMINATING,
        "The model is being deleted and still exists after five seconds.",
        "The status names the finalizers that block the deletion. Children stay as they are, and "
        "no failed version is rolled back.",
    ),
)


def page() -> str:
    """The page: a table of the rows, a diagram of their transitions, the commands."""
    rows = "\n".join(f"| `{r.phase}` | {r.facts} | {r.does} |" for r in TABLE)
    beside = "\n".join(f"| `{name}` | {facts} | {does} |" for name, facts, does in BESIDE)
    edges = "\n".join(f"    {r.phase} --> {to}" for r in TABLE for to in r.then_to)
    commands = "\n".join(f"| `{name}` | {command.done} |" for name, command in COMMANDS.items())
    return f"""<!-- Generated from operator/canarium/core by `make generate`: do not edit. -->
# Phases

Each reconcile uses the first row whose facts hold. The operator keeps no state outside the cluster,
so any phase can follow any other if the facts require it. A restart, a lost status and a new spec
need no special handling.

| Phase | Facts | Action |
|---|---|---|
{rows}

Two phases are outside the table, since nothing is decided in them. All conditions and their
reasons are in [reasons.md](reasons.md).

| Phase | Facts | Action |
|---|---|---|
{beside}

These are the transitions while the spec does not change. A new spec may lead from any phase to any
other.

```mermaid
stateDiagram-v2
    [*] --> Starting
{edges}
```

## Commands

`kubectl annotate modeldeployment NAME canarium.dev/COMMAND=REVISION/TOKEN --overwrite`. The token
is any new word, and each token acts once. Of several commands at once, the first in this table
takes precedence. `status.commands` and an Event report the result.

| Command | Effect |
|---|---|
{commands}
"""
