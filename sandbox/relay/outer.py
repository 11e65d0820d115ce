"""The process on this machine that carries connections to the other end, in the cluster.

Usage: python -m sandbox.relay.outer CONTROL COMMAND…

COMMAND starts the other end (`end.py`). CONTROL is a unix socket with the protocol of
`sandbox/forwarder.py`; it is there once the other end has answered.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox import forwarder
from sandbox.relay.end import End

_ANSWERS_WITHIN = 60.0


async def carry(control: Path, command: Sequence[str]) -> int:
    """Carries connections until the other end ends; its exit code."""
    pipe = subprocess.PIPE
    other = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert other.stdin is not None
    assert other.stdout is not None
    end = End(other.stdout, other.stdin)
    running = asyncio.create_task(end.run())
    answered = asyncio.create_task(end.ready.wait())
    await asyncio.wait(
        {running, answered}, timeout=_ANSWERS_WITHIN, return_when=asyncio.FIRST_COMPLETED
    )
    if not end.ready.is_set():
        other.kill()
        return await other.wait() or 1
    obeying = asyncio.create_task(forwarder.obey(forwarder.listen(control), end.serve))
    await running
    obeying.cancel()
    return await other.wait()


if __name__ == "__main__":
    # A relay that ends by itself has failed, even where `kubectl` has not.
    asyncio.run(carry(Path(sys.argv[1]).absolute(), sys.argv[2:]))
    sys.exit(1)
