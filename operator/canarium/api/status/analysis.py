"""The analysis of a revision: the verdict of each check."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from canarium.api.status.part import StatusPart, Time


class CheckEvaluation(StatusPart):
    """One evaluation of a check, for plots. No decision reads it."""

    time: Time = Field(description="End of the window that was evaluated.")
    verdict: Literal["Pass", "Fail", "Insufficient"] = Field(description="Verdict on the window.")
    value: float | None = Field(None, description="Value of the candidate.")
    threshold: float | None = Field(None, description="Bound that decided.")
    stable: float | None = Field(None, description="Value of stable in the same window.")
    samples: int | None = Field(None, description="Number of observations of the candidate.")


class CheckedObject(StatusPart):
    """The Secret or ConfigMap because of which a check has no value."""

    kind: str = Field(description="Kind of the object.")
    name: str = Field(description="Name of the object, in the namespace of the model.")
    key: str | None = Field(None, description="Key that has to be corrected.")
    problem: str = Field(
        description="What is wrong with it: `NotFound`, `Unreadable`, `MissingKey`, `Empty`, "
        "`NotText`, `NotOneLine`, `TooLong` or `NotACertificate`."
    )


class CheckStatus(StatusPart):
    """The verdict of one check, with the values of the evaluation that changed it."""

    name: str = Field(description="Name of the check.")
    template: str | None = Field(
        None,
        description="The template that the check is from, such as CheckTemplate/slo. Absent for a "
        "check of the spec itself.",
    )
    verdict: Literal["Pass", "Fail", "Insufficient"] = Field(description="Verdict of the check.")
    reason: str = Field(description="Reason for it, in CamelCase.")
    message: str = Field("", description="Explanation for people.")
    object: CheckedObject | None = Field(
        None, description="Secret or ConfigMap that has to be corrected."
    )
    value: float | None = Field(None, description="Value of the candidate.")
    threshold: float | None = Field(None, description="Bound that decided.")
    stable: float | None = Field(None, description="Value of stable in the same window.")
    samples: int | None = Field(None, description="Number of observations of the candidate.")
    time: Time = Field(description="When the verdict last changed.")
    evaluations: tuple[CheckEvaluation, ...] = Field(
        (),
        description="Last evaluations, the newest last: at most 20, and at most 80 of all checks. "
        "They are updated with the next write of the status, which no evaluation causes.",
    )


class AnalysisStatus(StatusPart):
    """The analysis of a revision that receives traffic."""

    revision: str = Field(description="The revision that is judged.")
    start_time: Time = Field(description="Start of the evaluation.")
    checks: tuple[CheckStatus, ...] = Field((), description="Verdict of each check.")
