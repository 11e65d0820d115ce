"""What a simulated rollout meets: how fast pods start, and what fails at which weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Label of the version that serves before the rollout.
PREVIOUS = "previous"
#: Label of a version whose rollout is under way when the new one is applied.
RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens meanwhile. Times are in seconds."""

    #: How long a pod takes to become ready.
    startup: float = 20.0
    #: The weight at which the new version fails: 0 is before any traffic, 100 the bake.
    fail_at: int | None = None
    #: What fails then. Empty: the server exits. The name of a check, which is out of bounds from
    #: then on, or of a smoke test, which fails at each attempt.
    failing_check: str = ""
    failing_smoke_test: str = ""
    #: Whether versions receive requests, so that checks have samples.
    traffic: bool = True
    #: Whether it is the first version of the model.
    first: bool = False
    #: The raw spec of another version, whose rollout is under way and has `running_weight`; 100:
    #: it is promoted, and the version before it is still warm.
    running: Mapping[str, Any] | None = None
    running_weight: int = 0

    #: Specs of templates of checks, by kind and name. Others that a model uses have one check.
    check_templates: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    @property
    def server_fails(self) -> bool:
        """Whether what fails is the server, not a check or a smoke test."""
        return not (self.failing_check or self.failing_smoke_test)
