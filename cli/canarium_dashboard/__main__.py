"""`python -m canarium_dashboard`: the dashboard in a cluster."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from canarium_dashboard.access.header import HeaderAccess
from canarium_dashboard.access.identity import Access
from canarium_dashboard.access.impersonation import ImpersonationAccess
from canarium_dashboard.access.token import TokenAccess
from canarium_dashboard.api import Api
from canarium_dashboard.app import create_app
from canarium_dashboard.serve import server
from canarium_dashboard.settings import Settings

#: Where Kubernetes mounts what a pod needs to reach the API server.
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_SECRET = "CANARIUM_PROXY_SECRET"


def arguments() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    parser = argparse.ArgumentParser("python -m canarium_dashboard", description=__doc__)
    parser.add_argument(
        "--access",
        choices=("token", "header", "impersonation"),
        default="token",
        help="who makes requests: a person with a token (login form), the Authorization header of "
        f"an authenticating proxy, or the groups that a proxy names (with ${_SECRET})",
    )
    parser.add_argument("--group", action="append", default=[], help="group to impersonate")
    parser.add_argument("--listen", default=":8080", help="address and port; default: :8080")
    parser.add_argument("--base-path", default="", help="path below which it is served")
    parser.add_argument("--host", action="append", default=[], help="allowed host; default: any")
    parser.add_argument("--namespace", action="append", default=[], help="namespace to offer")
    parser.add_argument("--actions", action="store_true", help="show buttons for commands")
    parser.add_argument("--tls-cert", type=Path, help="certificate chain (PEM)")
    parser.add_argument("--tls-key", type=Path, help="private key (PEM)")
    parser.add_argument("--api-server", default="", help="default: that of the cluster")
    parser.add_argument("--api-server-ca", type=Path, help="default: that of the cluster")
    parser.add_argument("--token-file", type=Path, default=_ACCOUNT / "token")
    return parser


def access_of(options: argparse.Namespace) -> Access:
    """Returns the mode of access. Raises ValueError if it is not configured completely."""
    if options.access == "token":
        return TokenAccess()
    if options.access == "header":
        return HeaderAccess()
    path: Path = options.token_file
    return ImpersonationAccess(
        os.environ.get(_SECRET, ""),
        frozenset(options.group),
        # The kubelet replaces the file before the token expires.
        lambda: path.read_text().strip(),
    )


def main(words: list[str] | None = None) -> int:
    """Serves until it is stopped; returns the exit code."""
    options = arguments().parse_args(words)
    try:
        settings = Settings(
            base_path=options.base_path.rstrip("/"),
            actions=options.actions,
            hosts=frozenset(host.lower() for host in options.host),
            namespaces=tuple(options.namespace),
        )
        access = access_of(options)
        host, _, port = options.listen.rpartition(":")
        number = int(port)
    except ValueError as error:
        print(f"canarium-dashboard: {error}", file=sys.stderr)
        return 2
    ca = options.api_server_ca or (_ACCOUNT / "ca.crt" if (_ACCOUNT / "ca.crt").exists() else None)
    api = Api(options.api_server or _in_cluster(), ca=ca)
    tls = {"ssl_certfile": options.tls_cert, "ssl_keyfile": options.tls_key}
    # `::` also accepts IPv4, where the machine has IPv6.
    host = host.strip("[]") or ("::" if Path("/proc/net/if_inet6").exists() else "0.0.0.0")
    server(create_app(settings, access, api), host=host, port=number, **tls).run()
    return 0


def _in_cluster() -> str:
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
