"""The reference page of the phases, made from their table."""

from __future__ import annotations

from canarium.core.context.commands import COMMANDS
from canarium.core.phases.table import TABLE


def page() -> str:
    """The page: a table of the rows, a diagram of their transitions, the commands."""
    rows = "\n".join(f"| `{r.phase}` | {r.facts} | {r.does} |" for r in TABLE)
    edges = "\n".join(f"    {r.phase} --> {to}" for r in TABLE for to in r.then_to)
    commands = "\n".join(f"| `{name}` | {command.done} |" for name, command in COMMANDS.items())
    return f"""<!-- Generated from operator/canarium/core by `make generate`: do not edit. -->
# Phases

Each decision takes the first row whose facts hold. No state is kept outside the cluster, so any
phase can follow any other if the facts require it: a restart, a lost status and a new spec are all
the same case.

| Phase | Facts | Action |
|---|---|---|
{rows}

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
