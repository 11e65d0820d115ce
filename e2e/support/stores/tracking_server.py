"""An MLflow server in a pod: MLflow's own application, on SQLite, with its artifacts in S3.

The first download of a `large.bin` ends halfway, because the server dies; FLAG, beside the
database, records that it has.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from mlflow.server import app
from werkzeug.serving import run_simple

FLAG = Path("/data/died")
#: Bytes of `large.bin` that are answered before the death.
ANSWERED = 1 << 20


def half(answer: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the beginning of an answer, and ends the process."""
    sent = 0
    for block in answer:
        yield block
        sent += len(block)
        if sent >= ANSWERED:
            FLAG.touch()
            print("dies now", file=sys.stderr, flush=True)
            os._exit(1)


def served(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """The application, until its death."""
    answer: Iterable[bytes] = app(environ, start)
    if environ["REQUEST_METHOD"] != "GET" or not environ["PATH_INFO"].endswith("/large.bin"):
        return answer
    return answer if FLAG.exists() else half(answer)


if __name__ == "__main__":
    run_simple("0.0.0.0", 5001, served, threaded=True)
