"""What certificates have to state.

Python 3.13 verifies by the letter of RFC 5280 (`VERIFY_X509_STRICT`): it refuses an authority
without key identifiers or key usage. The authorities of many companies have none, and neither have
those of older clusters of Amazon EKS (https://github.com/kubernetes-client/python/issues/2394).
kubectl, curl and earlier versions of Python accept them.
"""

from __future__ import annotations

import ssl


def without_formalities(context: ssl.SSLContext) -> ssl.SSLContext:
    """Returns the context, which verifies chain, names and dates, but not optional extensions."""
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
