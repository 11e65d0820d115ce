"""`kubectl modeldeploy`: the command line for people and pipelines.

Reading order: `main` (the group, which imports a verb only when it is called), `connection` (the
options that every verb has), `kubectl` (the transport: every request is one of kubectl's), `reads`
(the objects of a model), `verbs/` (one module per verb), `output/` (text, tables, live redrawing)
and `exits` (exit codes).

Invariants: no separate authentication, so exec plugins, proxies and `--as` work as everywhere;
reads are bounded to one model's objects by label; nothing imports kopf, kubernetes or aiohttp, and
only verbs that judge a spec import pydantic, because the command line starts with every command.
"""
