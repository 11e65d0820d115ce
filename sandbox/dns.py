"""One question to a DNS server over TCP: enough to see that names work."""

from __future__ import annotations

import socket
import struct

_RECURSE, _A, _IN = 0x0100, 1, 1


def answers(port: int, name: str) -> bool:
    """Returns whether the server at 127.0.0.1:`port` knows an address of `name`. Raises OSError."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = labels + b"\0" + struct.pack("!HH", _A, _IN)
    message = struct.pack("!6H", 1, _RECURSE, 1, 0, 0, 0) + question
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(struct.pack("!H", len(message)) + message)
        answer = connection.recv(512)
    # Two bytes of length, then id, flags, and the counts of questions and answers.
    return len(answer) > 14 and struct.unpack("!H", answer[8:10])[0] > 0
