"""What a floor took."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Floor:
    """Seconds of a client with `connections` to the API server at a time.

    `created`: until the objects were written. `ready`: until their pods were ready. `updated`:
    until all were on their second version. `switched`: until all pods had failed and the traffic
    was off them.
    """

    connections: int
    created: float
    ready: float
    updated: float
    switched: float
