"""`infer`: requests to a model, and which revision answered them."""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import click

from canarium.api.effective_traffic import REVISION_HEADER
from canarium.core.facts.revision import recorded_version
from canarium.view.inference import Origin, Request, origin, role, server_of, usual_request
from canarium.view.objects import REVISION_LABEL, Objects, Raw, items, label, number, part, text
from canarium.view.revisions import role_of
from canarium.view.tree import Role
from canarium_cli.connection import Connection, connected
from canarium_cli.durations import SECONDS
from canarium_cli.endpoints import is_ready, port_of, ready_endpoints
from canarium_cli.exits import CliError, Exit, not_found, unreachable, usage
from canarium_cli.output.formats import write_json
from canarium_cli.output.lines import printable, table
from canarium_cli.output.terminal import columns, echo, write
from canarium_cli.reads import objects
from canarium_cli.request_input import body_of, headers_of, no_constant
from canarium_cli.requests import Address, EndpointProxy, Forward, Reply, Sender, ServiceProxy
from canarium_cli.route_requests import way_through_route

_MOST = 10_000
#: Of an answer without the header that the route adds to each answer of the model.
_OF_GATEWAY = Origin("", f"no header {REVISION_HEADER}")


@click.command("infer")
@click.argument("name")
@click.option("-f", "--file", "path_of_body", metavar="FILE", help="Body; - reads from stdin.")
@click.option("--path", metavar="PATH", help="Default: the runtime's path for predictions.")
@click.option(
    "-H",
    "--header",
    "headers",
    multiple=True,
    metavar="NAME:VALUE",
    help="A header; @FILE reads one from each line of a file, so that no secret is in the command "
    "line, which other users can read.",
)
@click.option("--candidate", is_flag=True, help="Send to a ready pod of the candidate.")
@click.option("--stable", is_flag=True, help="Send to a ready pod of stable.")
@click.option("--pod", metavar="NAME", help="Send to this pod.")
@click.option(
    "--route",
    is_flag=True,
    help="Send through the model's route: to the address of its gateway, or, where this machine "
    "does not reach that, by a port-forward to the gateway's Service.",
)
@click.option("--address", metavar="URL", help="Send to this address, such as the gateway's.")
@click.option(
    "--repeat",
    type=click.IntRange(1, _MOST),
    default=1,
    metavar="N",
    help="Send N requests and print the split that was measured.",
)
@click.option(
    "--timeout",
    type=SECONDS,
    default=30.0,
    metavar="DURATION",
    help="Longest wait for an answer; default: 30s.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@connected
def infer_command(
    connection: Connection,
    name: str,
    path_of_body: str | None,
    path: str | None,
    headers: tuple[str, ...],
    candidate: bool,
    stable: bool,
    pod: str | None,
    route: bool,
    address: str | None,
    repeat: int,
    timeout: float,
    output: str,
) -> None:
    """Send a request to a model; print the answer, how long it took and which revision gave it.

    Without -f, the request is the model's first smoke test, or a minimal one of the protocol of
    its runtime. Requests to the Service go through the API server, which picks a random ready
    endpoint for each; with --repeat and answers that name no version, this program picks it.
    Exit code 1: the model answered with an error.
    """
    if sum(map(bool, (candidate, stable, pod, route, address))) > 1:
        raise usage("Use one of --candidate, --stable, --pod, --route and --address.")
    body = body_of(path_of_body) if path_of_body else None
    sent_headers = {name: value for words in headers for name, value in headers_of(words)}
    snapshot = objects(connection.kubectl, name)
    target = _pod(snapshot, name, candidate, stable, pod)
    request = _request(snapshot, target, body, path)
    if request.body is not None:
        sent_headers.setdefault("Content-Type", "application/json")
    way = None
    if route:
        way = way_through_route(connection.kubectl, snapshot.model, request.path)
        sender, request = way.sender, replace(request, path=way.path)
    else:
        sender = _sender(connection, snapshot, name, target, address)
    if isinstance(sender, ServiceProxy) and part(snapshot.model, "status", "route"):
        echo(
            "Note: the Service reaches stable only. Pass --route to measure the split of the "
            "route, or --candidate.",
            err=True,
        )
    replies: list[tuple[Reply, Origin]] = []
    faults: list[CliError] = []
    with ExitStack() as stack:
        stack.enter_context(sender)
        while len(replies) + len(faults) < repeat:
            try:
                reply = sender.send(request, sent_headers, timeout)
            except CliError as error:
                if not replies:
                    raise
                faults.append(error)
                continue
            if way and way.marked and REVISION_HEADER not in reply.headers:
                if not replies:
                    raise unreachable(
                        f"{sender.route} answered with {reply.status} and without the header "
                        f"{REVISION_HEADER}, which the route adds, so the answer is not of the "
                        "model. Check that the gateway has the route, or pass --address."
                    )
                # A gateway itself answers while it has no endpoint, which is part of the split.
                reply, source = replace(reply, foreign=True), _OF_GATEWAY
            else:
                source = _origin(snapshot, reply, target)
            replies.append((reply, source))
            first = len(replies) == 1 < repeat
            if first and not source.revision and isinstance(sender, ServiceProxy):
                chosen = _by_endpoint(connection, snapshot, name)
                if chosen:
                    # Which pod answers is known only if it is chosen here.
                    sender, replies = stack.enter_context(chosen), []
    if repeat == 1:
        _print_one(snapshot, *replies[0], request, sender, output)
    else:
        _print_split(connection, snapshot, replies, faults, sender, output)
    if request.guessed and any(x.is_error and not x.foreign for x, _ in replies):
        echo("The body was a guess: pass one that the model takes with -f.", err=True)
    if faults or any(reply.is_error for reply, _ in replies):
        raise SystemExit(int(Exit.FAILED))


def _pod(
    snapshot: Objects, name: str, candidate: bool, stable: bool, wanted: str | None
) -> Raw | None:
    """The pod to send to; None for the Service. Raises CliError where there is no such pod."""
    if wanted:
        pod = next((x for x in snapshot.pods if text(part(x, "metadata"), "name") == wanted), None)
        if pod is None:
            raise not_found(
                f"{name} has no pod {wanted}. `kubectl modeldeploy get` lists its pods."
            )
        return pod
    if not (candidate or stable):
        return None
    which = Role.CANDIDATE if candidate else Role.STABLE
    for pod in snapshot.pods:
        if role_of(snapshot.model, label(pod, REVISION_LABEL)) is which and is_ready(pod):
            return pod
    raise not_found(f"{name} has no ready pod of role {which.value.lower()}.")


def _request(snapshot: Objects, pod: Raw | None, body: str | None, path: str | None) -> Request:
    stable = text(part(snapshot.model, "status", "stable"), "revision")
    revision = label(pod, REVISION_LABEL) if pod else stable
    usual = usual_request(snapshot, revision)
    if path is not None and not path.startswith("/"):
        raise usage(f"--path has to begin with /, as in /v1/models/m:predict, not {path!r}.")
    known = path or (usual.path if usual else text(server_of(snapshot, revision), "predictPath"))
    if body is not None and known:
        return Request(known, body, "-f")
    if usual and body is None:
        return Request(path or usual.path, usual.body, usual.source, usual.guessed)
    if path:
        return Request(path, body, "--path")
    raise usage("The protocol of the model's runtime is not known: pass --path, and -f for a body.")


def _sender(
    connection: Connection, snapshot: Objects, name: str, pod: Raw | None, address: str | None
) -> Sender:
    if address:
        hosts = part(snapshot.model, "spec", "traffic", "gateway").get("hostnames")
        host = hosts[0] if isinstance(hosts, list) and hosts else ""
        return Address(address, host if isinstance(host, str) and "*" not in host else "")
    if pod is not None:
        return Forward(
            connection.kubectl, f"pod/{text(part(pod, 'metadata'), 'name')}", port_of(pod)
        )
    service = _service(snapshot, name)
    if service is None:
        raise unreachable(f"{name} has no Service yet: no version serves. See `why {name}`.")
    ports = items(part(service, "spec"), "ports")
    first = next(iter(ports), {})
    port = text(first, "name") or str(number(first, "port"))
    return ServiceProxy(
        connection.kubectl, text(part(snapshot.model, "metadata"), "namespace"), name, port
    )


def _service(snapshot: Objects, name: str) -> Raw | None:
    return next((x for x in snapshot.services if text(part(x, "metadata"), "name") == name), None)


def _by_endpoint(connection: Connection, snapshot: Objects, name: str) -> EndpointProxy | None:
    """A way to the endpoints of the Service that knows which of them it asks; None if there are
    none, or the user may not send requests to pods."""
    if not connection.kubectl.allowed("create", "pods", "--subresource=proxy"):
        return None
    service = _service(snapshot, name)
    pods = ready_endpoints(snapshot, service) if service else {}
    namespace = text(part(snapshot.model, "metadata"), "namespace")
    return EndpointProxy(connection.kubectl, namespace, name, pods) if pods else None


def _origin(snapshot: Objects, reply: Reply, pod: Raw | None) -> Origin:
    if pod is not None:
        return Origin(label(pod, REVISION_LABEL), f"pod/{text(part(pod, 'metadata'), 'name')}")
    answering = next(
        (x for x in snapshot.pods if text(part(x, "metadata"), "name") == reply.pod), None
    )
    if answering is not None:
        return Origin(label(answering, REVISION_LABEL), "the pod that was asked")
    return origin(snapshot, reply.headers, reply.body)


def _print_one(
    snapshot: Objects, reply: Reply, source: Origin, request: Request, sender: Sender, output: str
) -> None:
    if output == "json":
        write_json(
            {
                "status": reply.status,
                "milliseconds": round(reply.milliseconds, 1),
                "revision": source.revision or None,
                "knownBy": source.how,
                "sentTo": sender.route,
                "request": {"path": request.path, "body": request.body, "source": request.source},
                "answer": _parsed(reply.body),
            }
        )
        return
    method = "GET" if request.body is None else "POST"
    echo(f"{method} {request.path} ({request.source}) to {sender.route}", err=True)
    who = f"{_named(snapshot, source.revision)} ({source.how})"
    echo(f"{reply.status} in {reply.milliseconds:.0f} ms from {who}", err=True)
    # A program that reads it gets the bytes of the model.
    click.echo(printable(reply.body) if sys.stdout.isatty() else reply.body)


def _named(snapshot: Objects, revision: str) -> str:
    if not revision:
        return "an unknown revision"
    record = next((x for x in snapshot.records if label(x, REVISION_LABEL) == revision), None)
    version = recorded_version(part(record, "data"))
    words = f"version {version}, " if version else ""
    return f"revision {revision}, {words}{role(snapshot, revision).value.lower()}"


def _print_split(
    connection: Connection,
    snapshot: Objects,
    replies: list[tuple[Reply, Origin]],
    faults: list[CliError],
    sender: Sender,
    output: str,
) -> None:
    """Prints who answered how many requests, and how that was measured."""
    groups: dict[str, list[Reply]] = defaultdict(list)
    for reply, source in replies:
        groups[source.revision].append(reply)
    hows = sorted({source.how for _, source in replies})
    if output == "json":
        write_json(
            {
                "requests": len(replies) + len(faults),
                "withoutAnswer": len(faults),
                "sentTo": sender.route,
                "knownBy": hows,
                "split": [
                    {
                        "revision": revision or None,
                        "requests": len(group),
                        "errors": sum(x.is_error for x in group),
                        "percent": round(100 * len(group) / len(replies), 1),
                        "medianMilliseconds": round(_median(group), 1),
                    }
                    for revision, group in sorted(groups.items(), key=lambda x: -len(x[1]))
                ],
            }
        )
        return
    head = ("REVISION", "VERSION", "ROLE", "REQUESTS", "SHARE", "EFFECTIVE", "ERRORS", "MEDIAN")
    rows = list(_rows(snapshot, groups, len(replies)))
    write(table(head, rows, width=columns()), connection.color)
    echo(f"\n{len(replies) + len(faults)} requests to {sender.route}, each on its own connection.")
    echo(f"The revision is known by: {', '.join(hows) or 'nothing, there was no answer'}.")
    if _OF_GATEWAY.how in hows:
        echo(
            f"Answers without the header {REVISION_HEADER}, which the route adds, are of the "
            "gateway, not of the model: they count as errors."
        )
    elif "" in groups:
        echo(
            "Answers of an unknown revision name no version. To measure the split, use --route "
            "with a route that adds response headers or a server of the Open Inference Protocol, "
            "or ask for the right to create pods/proxy."
        )
    if isinstance(sender, ServiceProxy | EndpointProxy):
        echo("Callers inside the cluster are split by kube-proxy, per connection.")
    for message in sorted({x.message for x in faults}):
        echo(f"No answer: {message}", err=True)


def _rows(
    snapshot: Objects, groups: dict[str, list[Reply]], total: int
) -> Iterator[tuple[str, ...]]:
    status = part(snapshot.model, "status")
    weights = {
        text(part(status, x), "revision"): number(part(status, x), "effectiveWeight")
        for x in ("stable", "candidate", "previous")
    }
    for revision, group in sorted(groups.items(), key=lambda x: -len(x[1])):
        record = next((x for x in snapshot.records if label(x, REVISION_LABEL) == revision), None)
        yield (
            revision or "unknown",
            recorded_version(part(record, "data")) or "-",
            role(snapshot, revision).value if revision else "-",
            str(len(group)),
            f"{100 * len(group) / total:.1f} %",
            f"{weights[revision]} %" if revision in weights else "-",
            str(sum(x.is_error for x in group)),
            f"{_median(group):.0f} ms",
        )


def _median(group: list[Reply]) -> float:
    return statistics.median(x.milliseconds for x in group)


def _parsed(body: str) -> object:
    """The answer as JSON, or as text where it is not."""
    try:
        return json.loads(body, parse_constant=no_constant)
    except (ValueError, RecursionError):
        return body
