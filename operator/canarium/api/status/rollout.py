"""How far the rollout is, what it waits for, and which commands were processed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from canarium.api.reasons import HoldReason, hold_reason
from canarium.api.states import CommandOutcome, PauseSource
from canarium.api.status.part import StatusPart, Time

#: A pause as `core.facts.grant` writes it.
PauseText = Annotated[str, Field(pattern=r"^(Manual|[0-9]{1,12}(\.[0-9]{1,3})?s)$", max_length=32)]


class WaitingFor(StatusPart):
    """What the rollout is waiting for."""

    reason: str = Field(description="Such as WaitingForPods, StepPause, Manual, Paused or Bake.")
    start_time: Time = Field(description="Start time.")
    expected_end_time: Time | None = Field(
        None, description="When the wait ends automatically, if it does."
    )
    observed: str | None = Field(None, description="Current value.")
    threshold: str | None = Field(None, description="Value that is required.")
    pod: str | None = Field(None, description="Pod that blocks the rollout, if one is stuck.")
    container: str | None = Field(
        None, description="Container that blocks the rollout, if one is stuck."
    )

    @property
    def awaited(self) -> HoldReason | None:
        """The reason, for decisions; None where it is one of a route or of the cluster."""
        return hold_reason(self.reason)


class CommandEcho(StatusPart):
    """A command that was processed. Each token acts once."""

    command: str = Field(description="Name of the command, such as promote.")
    revision: str = Field("", description="Revision that the command named, as written.")
    token: str = Field("", description="Token of the command.")
    result: CommandOutcome = Field(description="Whether the command was carried out.")
    message: str = Field(description="Effect of the command, or why it was ignored.")
    time: Time = Field(description="When the command was processed.")


class Pause(StatusPart):
    """A pause of steps and bake."""

    start_time: Time = Field(description="Start time.")
    source: PauseSource = Field(
        description="What paused it: Spec (spec.paused) or Command (the command pause)."
    )
    token: str | None = Field(None, description="Token of the command pause, if that paused it.")
    revision: str = Field(description="Revision of the spec at that time.")


class StepStatus(StatusPart):
    """A step of the current rollout."""

    weight: int = Field(ge=0, le=100, description="Percentage of the traffic for the candidate.")
    pause: PauseText = Field(description="Pause of the step: Manual, or seconds such as 90s.")


class Progress(StatusPart):
    """Progress of the candidate's rollout. Absent if there is none."""

    step: int = Field(
        0, ge=0, le=64, description="Index of the step in spec, starting at 0. For display only."
    )
    weight: int = Field(0, ge=0, le=100, description="Percentage that was reached.")
    granted: int = Field(
        0, ge=0, le=100, description="Percentage that was granted. Its pods may still be starting."
    )
    pause: PauseText | None = Field(
        None, description="Current pause: Manual, or seconds such as 90s."
    )
    analysis: str | None = Field(
        None, description="What happens without a verdict, if the step needs one."
    )
    passed: int = Field(0, ge=0, le=64, description="Number of finished pauses at the same weight.")
    released: str | None = Field(
        None, description="What ended the pause: a command with its token, Elapsed, or a verdict."
    )
    step_start_time: Time | None = Field(
        None, description="When the weight of the step became effective."
    )
    wait_start_time: Time | None = Field(
        None, description="When the rollout started to wait for pods."
    )
    waited_seconds: float = Field(
        0, ge=0, description="Seconds spent waiting for pods before waitStartTime."
    )
    full: bool = Field(False, description="Whether promote-full skipped the remaining steps.")
    command: str | None = Field(
        None,
        description="Command that ended the previous step, or all steps, as command/token.",
    )
    strategy: str | None = Field(None, description="Strategy that the rollout started with.")
    steps: tuple[StepStatus, ...] = Field(
        (), max_length=64, description="Steps in effect, if a change of strategy is pending."
    )
