"""Whether the cluster's CustomResourceDefinition fits this operator, asked before it does anything.

An operator over older CRDs would lose what it writes into a status, and so forget a rollout in
flight: it refuses to start. An older operator over newer CRDs works for every model that it
understands.
"""

from __future__ import annotations

import logging

from canarium import GROUP, PLURAL, VERSION
from canarium.api import crd
from canarium.api.crd_skew import skew
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.kube.resources import DEFINITIONS, MODELS

log = logging.getLogger(__name__)
NAME = f"{PLURAL}.{GROUP}"
_REMEDY = "install the CRDs of this release first: kubectl apply --server-side -f crds/"


class CrdMismatch(Exception):
    """This operator cannot work with the cluster's CRDs; the text says why and what to do."""


async def fit(api: Api, timing: Timing) -> None:
    """Returns once the CRD has been read and fits; logs what differs harmlessly. Raises Unsuited.

    While the API server does not answer, it is asked again; where it refuses the look, nothing
    can be told, and the operator starts.
    """
    while True:
        try:
            theirs = await api.get(DEFINITIONS, None, NAME)
            break
        except ApiError as error:
            if error.not_found:
                raise CrdMismatch(
                    f"the CustomResourceDefinition {NAME} is absent: {_REMEDY}"
                ) from error
            if not error.transient:
                log.warning("the CRDs were not looked at: %s", error)
                return
            log.warning("the CRDs cannot be looked at yet: %s", error)
            await timing.sleep(1.0)
    try:
        found = skew(theirs, crd.kinds()[0], MODELS.version)
    except ValueError as error:
        raise CrdMismatch(f"the CustomResourceDefinition {NAME}: {error}: {_REMEDY}") from error
    if found.lost:
        raise CrdMismatch(
            f"the CustomResourceDefinition {NAME} is older than this operator ({VERSION}) and "
            f"would drop {_listed(found.lost)}: {_REMEDY}"
        )
    if found.unsayable:
        log.warning("the CRDs are older than this operator: nobody can use %s", found.unsayable)
    if found.unknown:
        log.warning(
            "the CRDs are newer than this operator (%s): models that use %s are left as they are",
            VERSION,
            _listed(found.unknown),
        )


def _listed(paths: tuple[str, ...]) -> str:
    shown = ", ".join(path.lstrip(".") for path in paths[:5])
    return f"{shown} and {len(paths) - 5} more" if len(paths) > 5 else shown
