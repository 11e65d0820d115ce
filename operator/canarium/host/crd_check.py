"""Checks that the installed CRDs fit this operator, before it does anything else.

With older CRDs, the API server would drop fields that the operator writes to a status, and a
rollout in progress would be lost: the operator refuses to start. With newer CRDs, it manages every
model whose fields it supports.
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
    """This operator cannot work with the installed CRDs; the message names cause and remedy."""


async def fit(api: Api, timing: Timing) -> None:
    """Returns once the CRD has been read and fits; logs harmless differences. Raises CrdMismatch.

    Retries while the API server does not answer. If it forbids reading the CRD, the check is
    skipped and the operator starts.
    """
    while True:
        try:
            theirs = await api.get(DEFINITIONS, None, NAME)
            break
        except ApiError as error:
            if error.not_found:
                raise CrdMismatch(
                    f"CustomResourceDefinition {NAME} is not installed; {_REMEDY}"
                ) from error
            if not error.transient:
                log.warning("skipping the check of the CRDs: %s", error)
                return
            log.warning("cannot read the CRDs yet: %s", error)
            await timing.sleep(1.0)
    try:
        difference = skew(theirs, crd.kinds()[0], MODELS.version)
    except ValueError as error:
        raise CrdMismatch(f"CustomResourceDefinition {NAME}: {error}; {_REMEDY}") from error
    if difference.lost:
        raise CrdMismatch(
            f"CustomResourceDefinition {NAME} is older than this operator ({VERSION}): the API "
            f"server would drop {_listed(difference.lost)}; {_REMEDY}"
        )
    if difference.unsayable:
        log.warning(
            "the CRDs are older than this operator: these fields cannot be set: %s",
            difference.unsayable,
        )
    if difference.unknown:
        log.warning(
            "the CRDs are newer than this operator (%s): models that use %s are left unmanaged",
            VERSION,
            _listed(difference.unknown),
        )


def _listed(paths: tuple[str, ...]) -> str:
    shown = ", ".join(path.lstrip(".") for path in paths[:5])
    return f"{shown} and {len(paths) - 5} more" if len(paths) > 5 else shown
