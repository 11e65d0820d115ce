"""The operator into a cluster, by helm and the chart of this checkout, as its README has it."""

from __future__ import annotations

from sandbox import Sandbox
from support.docs import documented
from support.images import ROOT


def install(sandbox: Sandbox, *values: str) -> None:
    """Installs or upgrades, and waits until the operator runs. CalledProcessError when not.

    `values` are further settings of the chart, each `name=value`.
    """
    words = documented("charts/canarium/README.md", "helm upgrade --install")
    here = [str(ROOT / word) if word.startswith("charts/") else word for word in words]
    # A sandbox's node is this machine, whose disk may be fuller than a kubelet would accept.
    more = [word for value in ("fetch.diskReserve=0", *values) for word in ("--set", value)]
    sandbox.helm(*here, *more, "--timeout", "120s")
