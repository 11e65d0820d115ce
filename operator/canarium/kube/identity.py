"""The identity of a process among the candidates for a Lease."""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass

#: Environment variable with the UID of the pod; the chart sets it by the downward API.
POD_UID = "POD_UID"


@dataclass(frozen=True, slots=True)
class Identity:
    """`name` is unique to the process. `pod` is the part of it that the earlier containers of the
    same pod had too; empty outside a pod."""

    name: str
    pod: str = ""

    @classmethod
    def of_process(cls) -> Identity:
        """Returns the identity of this process; each call returns another name.

        The host name alone does not identify a pod: on the network of the host it is the node's.
        """
        host, unique = socket.gethostname(), uuid.uuid4().hex[:8]
        uid = os.environ.get(POD_UID, "").partition("-")[0]
        pod = f"{host}_{uid}_" if uid else ""
        return cls(f"{pod or f'{host}_'}{unique}", pod)

    def succeeds(self, holder: str) -> bool:
        """Returns whether `holder` is an earlier process of the same pod, which has ended."""
        return bool(self.pod) and holder.startswith(self.pod) and holder != self.name
