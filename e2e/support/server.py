"""A model server in small: answers with its version, and fails in the ways that servers fail.

Good: ready after a second, or after STORY_LOADS seconds. Exits: ends with code 0 while loading, as
MLServer does with a model that it cannot load. Hungry: takes more memory than its limit. Wrong:
predicts nonsense, with status 200. Slow: needs 100 ms. Flaky: fails every twentieth request.
POST /crash ends any of them, POST /unready/SECONDS makes one unready for that time, while it
keeps answering.

POST /predict gives a score, GET /metrics what was asked so far, anything else the version.
"""

import itertools
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

#: How long the model takes to load, in seconds.
READY_AT = [time.monotonic() + float(os.environ.get("STORY_LOADS", "1"))]
BEHAVIOUR = Path("/app/behaviour").read_text()
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.25, float("inf"))
LOCK = threading.Lock()
SERIAL = itertools.count(1)
CODES: Counter[int] = Counter({200: 0, 500: 0})
TOOK: Counter[float] = Counter(dict.fromkeys(BOUNDS, 0))
#: Requests by their header X-Story, which distinguishes those of a test from all others.
MARKS: Counter[str] = Counter()


class Handler(BaseHTTPRequestHandler):
    # Envoy keeps its connections; a client that wants to close one sends a header.
    protocol_version = "HTTP/1.1"
    # Head and body would else be two packets, of which the second waits for the first's receipt.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path == "/ready":
            self.answer(200 if time.monotonic() > READY_AT[0] else 503, "")
        elif self.path == "/metrics":
            self.answer(200, metrics())
        else:
            self.measured(sys.argv[1])

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/predict":
            self.measured(json.dumps({"score": 0.1 if BEHAVIOUR == "wrong" else 0.9}))
            return
        self.answer(200, "bye")
        if self.path.startswith("/unready/"):
            READY_AT[0] = time.monotonic() + float(self.path.removeprefix("/unready/"))
            return
        threading.Timer(0.05, os._exit, [1]).start()

    def measured(self, text: str) -> None:
        """Answers as a user's request is answered, and counts it."""
        began = time.monotonic()
        if BEHAVIOUR == "slow":
            time.sleep(0.1)
        code = 500 if BEHAVIOUR == "flaky" and next(SERIAL) % 20 == 0 else 200
        count(code, time.monotonic() - began, self.headers.get("X-Story", ""))
        self.answer(code, text)

    def answer(self, code: int, text: str) -> None:
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


def count(code: int, seconds: float, mark: str) -> None:
    with LOCK:
        CODES[code] += 1
        MARKS[mark] += 1
        for bound in BOUNDS:
            TOOK[bound] += seconds <= bound


def metrics() -> str:
    """What was asked, as Prometheus reads it; and a value that was last seen ten minutes ago."""
    with LOCK:
        lines = [f'requests_total{{code="{code}"}} {n}' for code, n in CODES.items()]
        lines += [f'marked_total{{mark="{mark}"}} {n}' for mark, n in MARKS.items()]
        for bound, n in TOOK.items():
            text = "+Inf" if bound == float("inf") else str(bound)
            lines.append(f'took_seconds_bucket{{le="{text}"}} {n}')
    lines += ["drift 0.01", "no_drift NaN", f"old_drift 0.01 {int(time.time() - 600) * 1000}"]
    return "\n".join(lines) + "\n"


class Server(ThreadingHTTPServer):
    request_queue_size = 128


def main() -> None:
    if BEHAVIOUR == "exits":
        time.sleep(1)
        print("cannot load the model", file=sys.stderr)
        sys.exit(0)
    hoard = [os.urandom(1 << 20) for _ in range(4096 if BEHAVIOUR == "hungry" else 0)]
    server = Server(("", 8080), Handler)
    # The first process of a container ends by no signal that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
    del hoard


if __name__ == "__main__":
    main()
