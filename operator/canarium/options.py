"""Options that several commands of the program share."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from canarium.config import Config

_DEFAULT = Config()
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m)")
_RESERVED = "CANARIUM_"
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_AWS_NAME = re.compile(r"[a-z][a-z0-9-]*")
#: Clouds at which the operator's pod may have an identity.
IDENTITY_PROVIDERS = ("AWS", "Azure", "Google")


def add_metrics(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the endpoint for metrics."""
    parser.add_argument(
        "--metrics-port", type=int, help="serve Prometheus metrics at :PORT/metrics"
    )
    parser.add_argument(
        "--metrics-certificate",
        type=Path,
        metavar="FOLDER",
        help="serve the metrics over HTTPS with tls.crt and tls.key in this folder, which are "
        "read again when they change",
    )


def address(text: str) -> tuple[str, int]:
    """Returns address and port of `[ADDRESS]:PORT`. Raises ValueError."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def variable(text: str) -> tuple[str, str]:
    """Returns name and value of `NAME=VALUE`. Raises ArgumentTypeError."""
    name, separator, value = text.partition("=")
    if not separator or not _NAME.fullmatch(name):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    if name.startswith(_RESERVED):
        # Would stand in for the Secret of a model.
        raise argparse.ArgumentTypeError(f"{name}: the prefix {_RESERVED} is reserved")
    return name, value


def identity(text: str) -> tuple[str, str, str]:
    """Returns cloud, region and service of `Azure`, `Google` or `AWS:REGION:SERVICE`.

    Raises ArgumentTypeError.
    """
    provider, *names = text.split(":")
    if provider in ("Azure", "Google") and not names:
        return provider, "", ""
    if provider == "AWS" and len(names) == 2 and all(map(_AWS_NAME.fullmatch, names)):
        return provider, names[0], names[1]
    raise argparse.ArgumentTypeError(
        f"{text!r} is not Azure, Google, or AWS:REGION:SERVICE such as AWS:eu-central-1:aps"
    )


def identity_host(text: str) -> tuple[str, str]:
    """Returns provider and host of `PROVIDER=HOST`. Raises ArgumentTypeError."""
    provider, _, host = text.partition("=")
    if provider not in IDENTITY_PROVIDERS or not _HOST.fullmatch(host):
        providers = ", ".join(IDENTITY_PROVIDERS)
        raise argparse.ArgumentTypeError(
            f"{text!r} is not of the form PROVIDER=HOST with a provider of {providers} and the "
            "name of a host"
        )
    return provider, host.lower()


def config_map_key(text: str) -> tuple[str, str]:
    """Returns name and key of `CONFIGMAP[/KEY]`. Raises ArgumentTypeError."""
    name, _, key = text.partition("/")
    if not name or "/" in key:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form CONFIGMAP[/KEY]")
    return name, key or "ca.crt"


def duration(text: str) -> float:
    """Returns the seconds of a duration such as `10s`. Raises ArgumentTypeError."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 500ms, 10s or 1m")
    return float(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[match[2]]


def resources(text: str) -> dict[str, Any]:
    """Returns the resources of a container from JSON. Raises ArgumentTypeError."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not valid JSON: {error}") from error
    if not isinstance(value, dict) or not value.keys() <= {"requests", "limits", "claims"}:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an object with the keys requests, limits and claims"
        )
    return value


#: Fields of a container's SecurityContext in the API of core/v1.
_SECURITY_FIELDS = frozenset(
    {
        "allowPrivilegeEscalation",
        "appArmorProfile",
        "capabilities",
        "privileged",
        "procMount",
        "readOnlyRootFilesystem",
        "runAsGroup",
        "runAsNonRoot",
        "runAsUser",
        "seLinuxOptions",
        "seccompProfile",
        "windowsOptions",
    }
)


def security_context(text: str) -> dict[str, Any]:
    """Returns fields of a container's security context from JSON. Raises ArgumentTypeError."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is not an object")
    unknown = sorted(value.keys() - _SECURITY_FIELDS)
    if unknown:
        raise argparse.ArgumentTypeError(
            f"{unknown[0]} is not a field of a container's security context; "
            f"the fields are {', '.join(sorted(_SECURITY_FIELDS))}"
        )
    return value


def add_logging(parser: argparse.ArgumentParser) -> None:
    """Declares level and format of the log."""
    parser.add_argument(
        "--log-level",
        default="INFO",
        choices=["DEBUG", "INFO", "WARNING", "ERROR"],
        help="least severe lines of the log; default: INFO",
    )
    parser.add_argument(
        "--log-format",
        default="text",
        choices=["text", "json"],
        help="format of the log: text, or json with one object per line; default: text",
    )


def add_lease_times(parser: argparse.ArgumentParser) -> None:
    """Declares the times of leader election, all in seconds."""
    for name, meaning in (
        ("duration", "lease duration in seconds, after which a silent leader is replaced"),
        ("renew", "renew deadline in seconds, after which a leader that cannot renew exits"),
        ("retry", "retry period in seconds between two attempts"),
    ):
        usual = getattr(_DEFAULT, f"lease_{name}")
        parser.add_argument(f"--lease-{name}", type=float, default=usual, help=meaning)
