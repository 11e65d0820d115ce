"""What certificates have to state.

Python 3.13 verifies by the letter of RFC 5280 (`VERIFY_X509_STRICT`): it refuses an authority
without key identifiers or key usage. The authorities of many companies have none, and neither have
those of older clusters of Amazon EKS (https://github.com/kubernetes-client/python/issues/2394).
kubectl, curl and earlier versions of Python accept them.
"""

from __future__ import annotations

import ssl
from typing import Any


def without_formalities(context: ssl.SSLContext) -> ssl.SSLContext:
    """Returns the context, which verifies chain, names and dates, but not optional extensions."""
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def relax_libraries() -> None:
    """Lets the libraries of this process accept authorities without optional extensions.

    To be called before they create connections: the fetcher's have no setting for it. aiohttp and
    httpx take Python's context; urllib3, on which requests is based, makes its own.
    """
    import urllib3.util.ssl_

    create = ssl.create_default_context

    def relaxed(*arguments: Any, **options: Any) -> ssl.SSLContext:
        return without_formalities(create(*arguments, **options))

    ssl.create_default_context = relaxed
    # Its own copy of the flag, which it sets on Python 3.13.
    vars(urllib3.util.ssl_)["VERIFY_X509_STRICT"] = ssl.VerifyFlags(0)
