"""What the answer to a pod that was only asked for says about a spec."""

from __future__ import annotations

import re

from canarium.core.observed import Rejection
from canarium.kube.faults import ApiError

_HEAD = re.compile(
    r"^(Pod in version \S+ cannot be handled as a Pod: (strict decoding error: )?"
    r"|Pod \S+ is invalid: |pods \S+ is forbidden: )"
)
#: Fields of the pod's spec, as the user may write them.
_FIELD = re.compile(r"(?<![\w.])(spec|metadata)(?=[.\[])")


def refusal(error: ApiError) -> Rejection | None:
    """Why no such pod can be; None when it may be one day, or cannot be asked.

    A full quota is no fault of the spec, and a webhook that takes no dry run decides when real
    pods are made. Raises `error` itself when the question should be asked again.
    """
    if not error.rejected:
        raise error
    if "exceeded quota" in error.message or "does not support dry run" in error.message:
        return None
    text = _HEAD.sub("", error.message)
    path = _FIELD.sub(r"spec.podTemplate.\1", text)
    return Rejection("no pod can be made from this spec", path)
