"""The small server with a second port for gRPC, whose requests count as the others do.

/story.Story/Predict answers with the version, /grpc.health.v1.Health/Check that it serves.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time

from grpclib.const import Cardinality, Handler
from grpclib.server import Server, Stream

from support import server
from support.grpc_wire import PORT, PREDICT, Plain

HEALTH = "/grpc.health.v1.Health/Check"
#: HealthCheckResponse: field 1, an enum, is 1.
SERVING = b"\x08\x01"

Call = Stream[bytes, bytes]


class Story:
    """What the server answers by gRPC."""

    async def predict(self, call: Call) -> None:
        began = time.monotonic()
        await call.recv_message()
        mark = str(dict(call.metadata or ()).get("x-story", ""))
        server.count(200, time.monotonic() - began, mark)
        await call.send_message(sys.argv[1].encode())

    async def check(self, call: Call) -> None:
        await call.recv_message()
        await call.send_message(SERVING)

    def __mapping__(self) -> dict[str, Handler]:
        unary = Cardinality.UNARY_UNARY
        return {
            PREDICT: Handler(self.predict, unary, bytes, bytes),
            HEALTH: Handler(self.check, unary, bytes, bytes),
        }


async def serve() -> None:
    listening = Server([Story()], codec=Plain())
    await listening.start("0.0.0.0", PORT)
    await listening.wait_closed()


def main() -> None:
    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    server.main()


if __name__ == "__main__":
    main()
