"""What a platform configures for fetchers that also applies to requests about their sources."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from canarium.api.platform_hub import HUB


@dataclass(frozen=True, slots=True)
class Platform:
    """The address of the hub, a token for it, and proxies, by the environment of fetchers; `ca`: a
    ConfigMap with certificate authorities in the namespace of each model, and its key."""

    hub: str = HUB
    token: str | None = field(default=None, repr=False)
    #: Scheme of a URL → address of its proxy; "no": hosts without one, separated by commas.
    proxies: Mapping[str, str] = field(default_factory=dict)
    ca: tuple[str, str] | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str], ca: tuple[str, str] | None = None) -> Platform:
        """Returns what HF_ENDPOINT, HF_TOKEN, HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, the
        latter in capitals or not, mean for fetchers."""
        proxies = {}
        for kind in ("http", "https", "all", "no"):
            name = f"{kind}_proxy"
            if value := environment.get(name) or environment.get(name.upper()):
                proxies[kind] = value
        hub, token = environment.get("HF_ENDPOINT") or HUB, environment.get("HF_TOKEN")
        return cls(hub, token or None, proxies, ca)

    def proxy(self, url: str) -> str | None:
        """Returns the address of the proxy for `url`; None without one."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        proxy = self.proxies.get(parts.scheme) or self.proxies.get("all")
        direct = (name.strip() for name in self.proxies.get("no", "").split(","))
        if not proxy or any(_matches(name, parts.netloc, parts.hostname or "") for name in direct):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"


def _matches(name: str, place: str, host: str) -> bool:
    """Returns whether an entry of NO_PROXY means `host`: a name, a domain above it, `*`, a network,
    or one of these names with the port in `place`."""
    domain = name.lstrip(".").lower()
    if not domain:
        return False
    if name == "*" or any(h == domain or h.endswith(f".{domain}") for h in (host, place)):
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False
