"""What an API server answers to a write that it rejects, as the operator records it.

The texts are those of Kubernetes 1.36. The operator's own code turns each into a fact for
decisions, so that the golden file of messages shows what people get to read.
"""

from __future__ import annotations

from canarium.api.reasons import RejectionReason
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import Rejection, ResolvedRuntime
from canarium.engine.apply import dry_run
from canarium.engine.apply.rejections import WriteRejected, rejection_of
from canarium.engine.cache.runtimes import Runtimes
from canarium.kube import resources
from canarium.kube.errors import ApiError
from canarium.kube.resources import Resource

_KINDS = {one.kind: one for one in vars(resources).values() if isinstance(one, Resource)}
#: A quota on objects, as the API server words it (behind "forbidden: ").
QUOTA = "exceeded quota: q"


def denied(ref: ObjectRef) -> Rejection:
    """A ValidatingAdmissionPolicy that allows no changes."""
    policy = "ValidatingAdmissionPolicy 'freeze' with binding 'freeze' denied request: no changes"
    return _rejected(ref, 422, "Invalid", f"{_object(ref)} is forbidden: {policy}")


def over_quota(ref: ObjectRef) -> Rejection:
    counted = f"count/{_plural(ref)}"
    text = f"{QUOTA}, requested: {counted}=1, used: {counted}=5, limited: {counted}=5"
    return _rejected(ref, 403, "Forbidden", f"{_object(ref)} is forbidden: {text}")


def forbidden(ref: ObjectRef) -> Rejection:
    """The operator lacks a right."""
    resource = _KINDS[ref.kind]
    user = 'User "system:serviceaccount:canarium:canarium" cannot patch'
    text = f'{user} resource "{resource.plural}" in API group "{resource.group}"'
    full = f'{_object(ref)} is forbidden: {text} in the namespace "ns"'
    return _rejected(ref, 403, "Forbidden", full)


def webhook_failed(ref: ObjectRef) -> Rejection:
    """A webhook that does not answer."""
    text = (
        'Internal error occurred: failed calling webhook "validate.example.com": failed to call '
        'webhook: Post "https://policy.policy.svc:443/validate?timeout=10s": context deadline '
        "exceeded"
    )
    return _rejected(ref, 500, "InternalError", text)


def invalid_pod() -> Rejection:
    """The dry run of a pod that lacks a field."""
    text = 'Pod "m-trial" is invalid: spec.containers[0].image: Required value'
    found = dry_run.rejection_of(ApiError(422, "Invalid", text), {})
    assert found is not None
    return found


def no_runtime(name: str) -> ResolvedRuntime:
    """The spec refers to a runtime that does not exist."""
    return Runtimes(lambda *_: None).selected_runtime("ns", {"runtime": {"name": name}})


#: Who rejects → how.
ANSWERS = {
    RejectionReason.ADMISSION_DENIED: denied,
    RejectionReason.QUOTA_EXCEEDED: over_quota,
    RejectionReason.FORBIDDEN: forbidden,
    RejectionReason.WEBHOOK_FAILED: webhook_failed,
}


def _rejected(ref: ObjectRef, status: int, reason: str, message: str) -> Rejection:
    error = rejection_of(_KINDS[ref.kind], ref.name, ApiError(status, reason, message))
    assert isinstance(error, WriteRejected), "it would be retried as it is"
    return error.rejection


def _plural(ref: ObjectRef) -> str:
    resource = _KINDS[ref.kind]
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def _object(ref: ObjectRef) -> str:
    return f'{_plural(ref)} "{ref.name}"'
