"""One more worker, at idle priority, for tests that only compute.

Tests with real servers wait for most of their time, and leave a part of two cores unused. A third
ordinary worker would take that part, but then servers start so slowly next to each other that
probes and deadlines fail. The kernel runs this worker only while nothing else wants a core
(SCHED_IDLE), so it delays no server. It runs only files whose results depend on no wall clock.
"""

from __future__ import annotations

import os

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

#: Files that start no server and wait for no clock but a virtual one.
COMPUTING = tuple(
    f"tests/{folder}/"
    for folder in (
        "simulation",
        "crds",
        "unit/api",
        "unit/audit",
        "unit/core",
        "unit/render",
        "unit/view",
    )
)


class BackgroundScheduling(LoadFileScheduling):
    """Files in order, those that only compute last; the last worker takes only those."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        computing = [scope for scope in self.workqueue if scope.startswith(COMPUTING)]
        waiting = [scope for scope in self.workqueue if not scope.startswith(COMPUTING)]
        if self._is_background(node):
            waiting = []
        if not (chosen := (*waiting, *computing)):
            node.shutdown()
            return
        self.workqueue.move_to_end(chosen[0], last=False)
        super()._assign_work_unit(node)

    def _is_background(self, node: WorkerController) -> bool:
        return bool(node.gateway.id == f"gw{self.numnodes - 1}")


def scheduling(config: pytest.Config, log: Producer) -> BackgroundScheduling | None:
    """The scheduling for `--background-worker`; None without the option."""
    wanted = config.getoption("--background-worker") and config.getvalue("dist") == "loadfile"
    return BackgroundScheduling(config, log) if wanted else None


def lower_priority(config: pytest.Config) -> None:
    """Gives the last worker, and every process that it starts, the priority of an idle one."""
    worker = getattr(config, "workerinput", None)
    if not worker or not config.getoption("--background-worker"):
        return
    if worker["workerid"] == f"gw{worker['workercount'] - 1}":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
