"""Access as named groups: only for a proxy with the secret, and only as what is configured."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from canarium_dashboard.access.impersonation import ImpersonationAccess

_SECRET = "a secret of the proxy"


def access(*groups: str) -> ImpersonationAccess:
    return ImpersonationAccess(_SECRET, frozenset(groups or ("ml", "risk")), lambda: "own")


def request(**headers: str) -> Request:
    pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    return Request({"type": "http", "headers": pairs})


def test_person_has_the_configured_groups_only() -> None:
    found = access().identify(
        request(
            x_canarium_proxy_secret=_SECRET,
            x_forwarded_user="ann@example.com",
            x_forwarded_groups="ml, system:masters,other",
        )
    )
    assert found is not None
    assert found.headers == {
        "Authorization": "Bearer own",
        "Impersonate-User": "canarium-dashboard",
        "Impersonate-Group": "ml",
        "Impersonate-Extra-canarium.dev%2fuser": "ann@example.com",
    }


@pytest.mark.parametrize(
    "headers",
    [
        {"x_forwarded_user": "ann", "x_forwarded_groups": "ml"},
        {"x_canarium_proxy_secret": "no", "x_forwarded_user": "ann", "x_forwarded_groups": "ml"},
        {"x_canarium_proxy_secret": _SECRET, "x_forwarded_groups": "ml"},
        {"x_canarium_proxy_secret": _SECRET, "x_forwarded_user": "ann"},
        {
            "x_canarium_proxy_secret": _SECRET,
            "x_forwarded_user": "ann",
            "x_forwarded_groups": "system:masters",
        },
        {
            "x_canarium_proxy_secret": _SECRET,
            "x_forwarded_user": "ann\nImpersonate-Group: ml",
            "x_forwarded_groups": "ml",
        },
    ],
)
def test_others_are_unknown(headers: dict[str, str]) -> None:
    assert access().identify(request(**headers)) is None


@pytest.mark.parametrize("groups", [(), ("system:masters",), ("a\nb",)])
def test_groups_of_the_system_cannot_be_configured(groups: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="groups"):
        ImpersonationAccess(_SECRET, frozenset(groups), lambda: "own")


def test_short_secret_cannot_be_configured() -> None:
    with pytest.raises(ValueError, match="16 characters"):
        ImpersonationAccess("short", frozenset({"ml"}), lambda: "own")
