"""The options that every verb has: which cluster, as whom, and how to print."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from canarium_cli.durations import FOR_KUBECTL
from canarium_cli.kubectl import Kubectl

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the requests go. Empty values are those of kubectl's own configuration."""

    kubectl: Kubectl
    color: str = "auto"
    quiet: bool = False


def connected(verb: Function) -> Function:
    """Gives a verb kubectl's options, and a `Connection` as its first argument."""

    @click.option("-n", "--namespace", metavar="NAME", help="Namespace; default: the context's.")
    @click.option("--context", metavar="NAME", help="Context of the kubeconfig.")
    @click.option("--kubeconfig", metavar="FILE", help="Path of the kubeconfig.")
    @click.option("--as", "as_user", metavar="USER", help="User to impersonate.")
    @click.option("--as-group", multiple=True, metavar="GROUP", help="Group to impersonate.")
    @click.option(
        "--request-timeout",
        type=FOR_KUBECTL,
        metavar="DURATION",
        help="Timeout of one request, such as 10s.",
    )
    @click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        help="When to use colors. auto: on a terminal, unless NO_COLOR is set.",
    )
    @click.option("-q", "--quiet", is_flag=True, help="Print results only.")
    @functools.wraps(verb)
    def wrapper(
        *args: Any,
        namespace: str | None,
        context: str | None,
        kubeconfig: str | None,
        as_user: str | None,
        as_group: tuple[str, ...],
        request_timeout: str | None,
        color: str,
        quiet: bool,
        **options: Any,
    ) -> Any:
        words = [
            *_option("--context", context),
            *_option("--kubeconfig", kubeconfig),
            *_option("--as", as_user),
            *(word for group in as_group for word in _option("--as-group", group)),
            *_option("--request-timeout", request_timeout),
        ]
        kubectl = Kubectl(tuple(words), namespace or "")
        return verb(Connection(kubectl, color, quiet), *args, **options)

    return wrapper  # type: ignore[return-value]


def _option(name: str, value: str | None) -> list[str]:
    return [f"{name}={value}"] if value else []
