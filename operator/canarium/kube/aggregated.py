"""The limit on reads of aggregated APIs, which authors of models cause, for the whole process.

Each of them occupies a seat of the API server while an adapter answers. The limit is a constant:
what an adapter answers does not show what the API server admits. An adapter that is slow delays the
requests of the same namespace alone (`turns`).
"""

from __future__ import annotations

from canarium.kube.clock import Timing
from canarium.kube.turns import FairTurns

#: Requests in flight, also the burst; those of one namespace; and requests per second.
AT_ONCE, SHARE, PER_SECOND = 8, 4, 20.0


def aggregated_turns(timing: Timing | None = None) -> FairTurns:
    """Returns the turns of such requests."""
    return FairTurns(AT_ONCE, SHARE, PER_SECOND, AT_ONCE, timing)
