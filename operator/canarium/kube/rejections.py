"""Who rejects a write, from the API server's answer.

A response has an HTTP code, a reason and, for invalid fields, causes. They do not identify who
rejected the request: a full quota, a missing right, Pod Security and many webhooks all answer 403
`Forbidden`, a webhook may answer with any code and causes, and a webhook that cannot be called is a
500 `InternalError` like a fault of the server itself. Only the text does. It is read here, at
the edge, and nowhere else: everything beyond compares the enum (R30).
"""

from __future__ import annotations

from canarium.api.reasons import RejectionReason
from canarium.kube.errors import ApiError

_NO_WEBHOOK = "failed calling webhook"
#: As for two variables of one name, which a creation may have and an apply may not.
_UNTYPED = "failed to create typed patch object"
_QUOTA = "exceeded quota"
_DENIED = ("denied request", "denied the request")
_NO_DRY_RUN = "does not support dry run"


def rejection_reason(error: ApiError) -> RejectionReason | None:
    """Returns who rejects a request; None when the same request may succeed later."""
    if error.status == 500 and _NO_WEBHOOK in error.message:
        return RejectionReason.WEBHOOK_FAILED
    if error.status == 500 and _UNTYPED in error.message:
        return RejectionReason.INVALID
    if not error.rejected:
        return None
    if _QUOTA in error.message:
        return RejectionReason.QUOTA_EXCEEDED
    if any(words in error.message for words in _DENIED):
        return RejectionReason.ADMISSION_DENIED
    return RejectionReason.FORBIDDEN if error.status == 403 else RejectionReason.INVALID


def lacks_dry_run(error: ApiError) -> bool:
    """Returns whether a webhook with side effects rejected the dry run, which proves nothing."""
    return _NO_DRY_RUN in error.message
