"""Runs the operator: kopf's event loop, with the application hooked into it."""

from __future__ import annotations

import gc
import re
import socket
from typing import Any, cast

import kopf
import uvloop

from canarium.config import Config
from canarium.host.app import Application
from canarium.host.handlers import register
from canarium.host.memory import return_freed_memory
from canarium.telemetry import logs

#: Objects allocated between two collections of the youngest generation (the default is 700), and
#: collections of each generation between two of the next. Reference counts free nearly everything;
#: cycles come from failed requests and tasks.
_COLLECTIONS = (10_000, 20, 20)


def run_operator(config: Config, log_level: str, log_format: str) -> int:
    """Runs until the process is stopped; returns the exit code."""
    logs.configure(log_level, log_format)
    return_freed_memory()
    # The modules live as long as the process: no collection has to traverse them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTIONS)
    registry = kopf.OperatorRegistry()
    application = Application(config)
    register(registry, application)
    everywhere = not (config.namespaces or config.namespace_selector)
    kopf.run(
        loop=uvloop.new_event_loop(),
        registry=registry,
        standalone=True,
        # kopf would look up the user's name, which a container's UID does not have.
        identity=cast(Any, socket.gethostname()),
        clusterwide=everywhere,
        # A pattern names no namespace to begin with: the selected ones are added later.
        namespaces=() if everywhere else config.namespaces or (re.compile("selected"),),
        insights=application.insights,
    )
    return 1 if application.refusal else 0
