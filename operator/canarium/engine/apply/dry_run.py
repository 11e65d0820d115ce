"""Translates the rejection of a dry-run pod to the fields of the spec that caused it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from canarium.api.reasons import RejectionReason
from canarium.core.facts.object_ref import TRIAL_POD
from canarium.core.facts.observed import Rejection
from canarium.kube.errors import ApiError
from canarium.kube.rejections import lacks_dry_run, rejection_reason

_HEAD = re.compile(
    r"^(Pod in version \S+ cannot be handled as a Pod: (strict decoding error: )?"
    r"|Pod \S+ is invalid: |pods \S+ is forbidden: )"
)
#: Fields of the pod, as the API server names them.
_FIELD = re.compile(r"(?<![\w.])(?:spec|metadata)(?:\.\w+|\[\d+\])+")
#: Fields of the pod, and where in the spec the user sets them.
_CURATED = tuple(
    (re.compile(rf"^{pod}(?=\W|$)"), own)
    for pod, own in (
        (r"spec\.containers\[0\]\.(resources)", ()),
        (r"spec\.containers\[0\]\.(image|imagePullPolicy|command|args|env)", ("runtime",)),
        (r"spec\.securityContext\.(runAsUser|runAsGroup|fsGroup)", ("pod",)),
        (r"spec\.(topologySpread)Constraints", ("pod",)),
        (
            r"spec\.(nodeSelector|tolerations|affinity|priorityClassName|runtimeClassName"
            r"|serviceAccountName|imagePullSecrets|terminationGracePeriodSeconds)",
            ("pod",),
        ),
    )
)


def rejection_of(error: ApiError, spec: Mapping[str, Any]) -> Rejection | None:
    """Returns why the API server rejects pods created from `spec`; None if the spec is not at
    fault.

    A full quota is not the spec's fault, and a webhook without support for dry runs decides when
    real pods are created. Raises `error` itself when the dry run should be retried.
    """
    if not error.rejected:
        raise error
    reason = rejection_reason(error)
    if reason is RejectionReason.QUOTA_EXCEEDED or lacks_dry_run(error):
        return None
    text = _HEAD.sub("", error.message)
    message = _FIELD.sub(lambda match: _written(match[0], spec), text)
    return Rejection(TRIAL_POD, message, reason=(reason or RejectionReason.INVALID).value)


def _written(path: str, spec: Mapping[str, Any]) -> str:
    """Returns the field of the spec that sets a field of the pod, if any."""
    if _overlaid(path, spec.get("podTemplate") or {}):
        return f"spec.podTemplate.{path}"
    for place, above in _CURATED:
        match = place.match(path)
        own: Any = spec
        for key in above:
            own = own.get(key) or {}
        if match and match[1] in own:
            return ".".join(("spec", *above, match[1])) + path[match.end() :]
    return f"the pod's {path}"


def _overlaid(path: str, template: Mapping[str, Any]) -> bool:
    """Returns whether the model's own `podTemplate` sets `path`."""
    parts = re.findall(r"\w+", path)
    here = template.get(parts[0]) or {}
    if parts[1:3] == ["containers", "0"]:
        named = (c for c in here.get("containers") or () if c.get("name") == "server")
        return len(parts) > 3 and parts[3] in next(named, {})
    return parts[1] in here
