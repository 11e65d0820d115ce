"""A model server in small: answers with its version, and fails in the ways that servers fail.

Good: ready after a second. Exits: ends with code 0 while loading, as MLServer does with a model
that it cannot load. Hungry: takes more memory than its limit. POST /crash ends any of them,
POST /unready/SECONDS makes one unready for so long, while it goes on to answer.
"""

import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

READY_AT = [time.monotonic() + 1]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/ready":
            self.answer(200 if time.monotonic() > READY_AT[0] else 503, "")
        else:
            self.answer(200, sys.argv[1])

    def do_POST(self) -> None:
        self.answer(200, "bye")
        if self.path.startswith("/unready/"):
            READY_AT[0] = time.monotonic() + float(self.path.removeprefix("/unready/"))
            return
        threading.Timer(0.05, os._exit, [1]).start()

    def answer(self, code: int, text: str) -> None:
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128


def main() -> None:
    behaviour = Path("/app/behaviour").read_text()
    if behaviour == "exits":
        time.sleep(1)
        print("cannot load the model", file=sys.stderr)
        sys.exit(0)
    hoard = [os.urandom(1 << 20) for _ in range(4096 if behaviour == "hungry" else 0)]
    Server(("", 8080), Handler).serve_forever()
    del hoard


if __name__ == "__main__":
    main()
