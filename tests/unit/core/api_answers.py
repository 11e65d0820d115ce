"""What an API server answers to a write that it rejects, as the operator records it.

The texts are those of Kubernetes 1.36. The operator's own code turns each into a fact for
decisions, so that the golden file of messages shows what people get to read.
"""

from __future__ import annotations

from canarium.api.reasons import RejectionReason
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


def denied(what: str) -> Rejection:
    """A ValidatingAdmissionPolicy that allows no changes."""
    policy = "ValidatingAdmissionPolicy 'freeze' with binding 'freeze' denied request: no changes"
    return _rejected(what, 422, "Invalid", f"{_object(what)} is forbidden: {policy}")


def over_quota(what: str) -> Rejection:
    counted = f"count/{_plural(what)}"
    text = f"{QUOTA}, requested: {counted}=1, used: {counted}=5, limited: {counted}=5"
    return _rejected(what, 403, "Forbidden", f"{_object(what)} is forbidden: {text}")


def forbidden(what: str) -> Rejection:
    """The operator lacks a right."""
    resource = _KINDS[what.split()[0]]
    user = 'User "system:serviceaccount:canarium:canarium" cannot patch'
    text = f'{user} resource "{resource.plural}" in API group "{resource.group}"'
    full = f'{_object(what)} is forbidden: {text} in the namespace "ns"'
    return _rejected(what, 403, "Forbidden", full)


def webhook_failed(what: str) -> Rejection:
    """A webhook that does not answer."""
    text = (
        'Internal error occurred: failed calling webhook "validate.example.com": failed to call '
        'webhook: Post "https://policy.policy.svc:443/validate?timeout=10s": context deadline '
        "exceeded"
    )
    return _rejected(what, 500, "InternalError", text)


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


def _rejected(what: str, status: int, reason: str, message: str) -> Rejection:
    kind, name = what.split(" ")
    error = rejection_of(_KINDS[kind], name, ApiError(status, reason, message))
    assert isinstance(error, WriteRejected), "it would be retried as it is"
    return error.rejection


def _plural(what: str) -> str:
    resource = _KINDS[what.split(" ")[0]]
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def _object(what: str) -> str:
    return f'{_plural(what)} "{what.split(" ")[1]}"'
