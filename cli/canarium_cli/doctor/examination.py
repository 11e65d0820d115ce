"""All checks in their order."""

from __future__ import annotations

import time

from canarium_cli.doctor import (
    definitions,
    gateways,
    images,
    network,
    operators,
    rights,
    scope,
)
from canarium_cli.doctor.facts import Facts, read, read_installation
from canarium_cli.doctor.finding import Finding, Level
from canarium_cli.kubectl import Kubectl

_CHECKS = (definitions, operators, scope, network, gateways, images, rights)
_OF_THE_INSTALLATION = (definitions, operators, images)


def findings(facts: Facts) -> list[Finding]:
    """What all checks find in `facts`."""
    return [finding for check in _CHECKS for finding in check.examine(facts)]


def installation_findings(facts: Facts) -> list[Finding]:
    """What the checks find that concern neither a namespace of models nor a person."""
    return [finding for check in _OF_THE_INSTALLATION for finding in check.examine(facts)]


def examined(kubectl: Kubectl, installation: bool = False) -> list[Finding]:
    """Reads the cluster and checks it. Raises CliError if it does not answer."""
    if installation:
        return installation_findings(read_installation(kubectl, time.time()))
    return findings(read(kubectl, time.time(), tuple(rights.NEEDED)))


def is_ready(all_findings: list[Finding]) -> bool:
    """Whether nothing is a problem."""
    return all(one.level is not Level.PROBLEM for one in all_findings)
