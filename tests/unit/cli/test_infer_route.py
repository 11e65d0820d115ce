"""`infer --route`: how the gateway of a route is reached, and what is an error."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from canarium.view.entrances import GATEWAY_LABEL
from canarium.view.inference import Request
from canarium_cli import requests
from canarium_cli.exits import CliError
from canarium_cli.kubectl import Kubectl
from cli.standin import Ended, Standin
from cli.test_infer import prepared
from sandbox import pki

_GATEWAYS = "gateways.gateway.networking.k8s.io"
_ROUTES = "httproutes.gateway.networking.k8s.io"
_HOST = "models.example.org"
_FORBIDDEN = (
    'Error from server (Forbidden): services is forbidden: User "jane" cannot list resource '
    '"services" in API group "" at the cluster scope'
)
#: A stand-in for `kubectl port-forward` to something that listens at this port.
_FORWARD = """#!/bin/sh
echo "Forwarding from 127.0.0.1:{port} -> 8080"
exec sleep 60
"""
#: Revisions of the sample, as three of four requests are answered by the first.
_SPLIT = ("jgpcfw9h", "jgpcfw9h", "jgpcfw9h", "4nb6hnp6")


class _Gateway(http.server.BaseHTTPRequestHandler):
    """Answers as a route of ours with weights 75 and 25."""

    asked: list[tuple[str, str]]
    revisions: Iterator[str]
    unmarked: Collection[int]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.headers["Host"], self.path))
        self.send_response(200)
        if len(self.asked) - 1 not in self.unmarked:
            self.send_header("X-Canarium-Revision", next(self.revisions))
        self.end_headers()
        self.wfile.write(b"fine")

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def listening(
    context: ssl.SSLContext | None = None, unmarked: Collection[int] = ()
) -> Iterator[tuple[int, list[Any]]]:
    """A gateway on loopback: its port, and which hosts and paths were asked for. The answers whose
    numbers are `unmarked` have no header of a route."""
    members = {"asked": [], "revisions": cycle(_SPLIT), "unmarked": unmarked}
    handler: Any = type("_", (_Gateway,), members)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_port, handler.asked
        server.shutdown()


def free_port() -> int:
    """A port of loopback at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def routed(
    kubectl: Standin, port: int, *addresses: str, protocol: str = "HTTP", **spec: Any
) -> None:
    """A model whose HTTPRoute is attached to a Gateway with one listener."""
    prepared(kubectl, "step-pause", route={"kind": "HTTPRoute"})
    route = {
        "kind": "HTTPRoute",
        "metadata": {"name": "fraud", "namespace": "demo"},
        "spec": {"parentRefs": [{"name": "public", "namespace": "infra"}], **spec},
    }
    gateway = {
        "kind": "Gateway",
        "metadata": {"name": "public", "namespace": "infra"},
        "spec": {"listeners": [{"name": "web", "port": port, "protocol": protocol}]},
        "status": {"addresses": [{"value": address} for address in addresses]},
    }
    first(kubectl, _ROUTES, "fraud", out=route)
    first(kubectl, _GATEWAYS, "public", out=gateway)
    first(kubectl, "services", out={"kind": "List", "items": []})


def first(kubectl: Standin, *words: str, out: Any = "", err: str = "") -> None:
    """Answers `kubectl get` before what the standin answered so far."""
    scenario = kubectl.path.parent / "scenario"
    before = scenario.read_text()
    scenario.write_text("")
    kubectl.answers("get", *words, out=out, err=err, code=1 if err else 0)
    scenario.write_text(scenario.read_text() + before)


def infer(kubectl: Standin, *words: str) -> Ended:
    return kubectl.run("infer", "fraud", "--route", *words)


def test_split_of_the_route_is_measured_at_the_address_of_its_gateway(kubectl: Standin) -> None:
    with listening() as (port, asked):
        routed(kubectl, port, "127.0.0.1", hostnames=[_HOST])
        done = infer(kubectl, "--repeat", "40", "-o", "json")
    assert done.code == 0, done.err
    split = json.loads(done.out)
    assert split["sentTo"] == f"http://127.0.0.1:{port} as host {_HOST}"
    assert split["knownBy"] == ["header x-canarium-revision"]
    assert {x["revision"]: x["requests"] for x in split["split"]} == Counter(_SPLIT * 10)
    assert set(asked) == {(_HOST, "/v2/models/fraud/infer")}
    assert not any("port-forward" in call for call in kubectl.calls)


def test_gateway_that_cannot_be_reached_is_asked_through_its_service(kubectl: Standin) -> None:
    match = {"matches": [{"path": {"type": "PathPrefix", "value": "/fraud"}}]}
    match |= {"filters": [{"urlRewrite": {"path": {"replacePrefixMatch": "/"}}}]}
    away = free_port()
    with listening() as (port, asked):
        routed(kubectl, away, "127.0.0.1", hostnames=[f"*.{_HOST}"], rules=[match])
        made = {
            "kind": "Service",
            "metadata": {
                "name": "public-envoy",
                "namespace": "infra",
                "labels": {GATEWAY_LABEL: "public"},
            },
            "spec": {"selector": {"app": "envoy"}, "ports": [{"port": away}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}},
        }
        first(kubectl, "services", out={"kind": "List", "items": [made]})
        kubectl.serves("port-forward", _FORWARD.replace("{port}", str(port)))
        done = infer(kubectl, "-n", "demo")
    assert (done.code, done.out) == (0, "fine\n"), done.err
    assert "service/public-envoy through kubectl port-forward" in done.err
    assert "revision jgpcfw9h, version v1, stable (header x-canarium-revision)" in done.err
    assert asked == [(f"fraud.{_HOST}", "/fraud/v2/models/fraud/infer")]
    (words,) = [call for call in kubectl.calls if "port-forward" in call]
    assert words == ["--namespace=infra", "port-forward", "service/public-envoy", f":{away}"]
    # Of a cluster with thousands of Services, only those of the gateway are read.
    reads = [call for call in kubectl.calls if call[1:3] == ["get", "services"]]
    assert [call[3] for call in reads] == [f"--selector={GATEWAY_LABEL}=public"]


def test_certificate_has_to_be_that_of_the_host_of_the_route(
    kubectl: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = pki.Authority(tmp_path / "pki")
    authority.make()
    authority.serving("gateway", [], [_HOST])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.pair("gateway"))
    names: list[str | None] = []
    context.sni_callback = lambda _, name, __: names.append(name)
    with listening(context) as (port, asked):
        routed(kubectl, port, "127.0.0.1", protocol="HTTPS", hostnames=[_HOST])
        refused = infer(kubectl)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
        done = infer(kubectl)
    assert refused.code == 5
    assert "Set SSL_CERT_FILE to the certificates of its authority." in refused.err
    assert (done.code, done.out) == (0, "fine\n"), done.err
    assert set(names) == {_HOST}
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("days", "host", "reason", "remedy"),
    [
        ("3650", "other.example.org", "Hostname mismatch", "Check the hosts of the route, the cer"),
        ("-1", _HOST, "certificate has expired", "Renew the certificate of the listener, or corre"),
    ],
)
def test_certificate_of_a_trusted_authority_that_is_not_accepted_has_another_remedy(
    kubectl: Standin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    days: str,
    host: str,
    reason: str,
    remedy: str,
) -> None:
    authority = pki.Authority(tmp_path / "pki")
    authority.make()
    monkeypatch.setattr(pki, "_DAYS", days)
    authority.serving("gateway", [], [host])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.pair("gateway"))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    with listening(context) as (port, _):
        routed(kubectl, port, "127.0.0.1", protocol="HTTPS", hostnames=[_HOST])
        done = infer(kubectl)
    assert done.code == 5
    assert f"the certificate is not accepted: {reason}" in done.err
    assert remedy in done.err
    assert "SSL_CERT_FILE" not in done.err
    assert ".. " not in done.err


def test_name_that_no_certificate_can_have_leaves_no_connection_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        name = f"{'a' * 64}.example.org"
        connection = requests._connection("127.0.0.1", server.getsockname()[1], name, True, 5)
        with pytest.raises(CliError, match=r"no answer: .*label"):
            requests._exchange(connection, "/", None, {})
        with pytest.raises(BlockingIOError):
            server.accept()


def test_port_forward_is_not_blocked_by_what_it_prints(
    kubectl: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As kubectl, which prints a line for each connection and for each failure of one.
    script = """#!{python} -S
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        for stream in sys.stdout, sys.stderr:
            print("Handling connection for 8080" * 4000, file=stream, flush=True)
        self.send_response(200); self.end_headers()
with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
    print(f"Forwarding from 127.0.0.1:{server.server_port} -> 8080", flush=True)
    server.serve_forever(0.02)
"""
    kubectl.serves("port-forward", script)
    monkeypatch.setenv("KUBECTL", str(kubectl.path))
    with requests.Forward(Kubectl(), "pod/a", 8080) as forward:
        for _ in range(3):
            assert forward.send(Request("/", None, ""), {}, 5).status == 200


def test_answer_of_something_else_is_not_taken_for_that_of_the_model(kubectl: Standin) -> None:
    header = {"responseHeaderModifier": {"set": [{"name": "x-canarium-revision", "value": "a"}]}}
    rule = {"backendRefs": [{"name": "fraud-a", "filters": [header]}]}
    with listening(unmarked={0}) as (port, _):
        routed(kubectl, port, "127.0.0.1", rules=[rule])
        done = infer(kubectl, "--repeat", "2")
    assert (done.code, done.out) == (5, "")
    assert "without the header x-canarium-revision, which the route adds" in done.err


def test_answer_of_the_gateway_itself_counts_as_an_error_of_an_unknown_revision(
    kubectl: Standin,
) -> None:
    header = {"responseHeaderModifier": {"set": [{"name": "x-canarium-revision", "value": "a"}]}}
    rule = {"backendRefs": [{"name": "fraud-a", "filters": [header]}]}
    with listening() as (port, _):
        routed(kubectl, port, "127.0.0.1", rules=[rule])
        assert infer(kubectl, "--repeat", "10").code == 0
    with listening(unmarked={2, 5}) as (port, _):
        routed(kubectl, port, "127.0.0.1", rules=[rule])
        done = infer(kubectl, "--repeat", "10", "-o", "json")
    assert done.code == 1, done.err
    assert done.err == ""
    split = {x["revision"]: (x["requests"], x["errors"]) for x in json.loads(done.out)["split"]}
    assert split == {"jgpcfw9h": (6, 0), "4nb6hnp6": (2, 0), None: (2, 2)}
    with listening(unmarked={2, 5}) as (port, _):
        routed(kubectl, port, "127.0.0.1", rules=[rule])
        text = infer(kubectl, "--repeat", "10")
    assert text.code == 1
    assert "Answers without the header x-canarium-revision" in text.out
    assert "use --route" not in text.out


def test_match_of_a_header_is_not_taken_for_a_header_of_answers(kubectl: Standin) -> None:
    asks = {"headers": [{"name": "x-canarium-revision", "value": "candidate"}]}
    rules = [{"backendRefs": [{"name": "a"}]}, {"matches": [asks], "backendRefs": [{"name": "b"}]}]
    with listening(unmarked=range(1)) as (port, _):
        routed(kubectl, port, "127.0.0.1", rules=rules)
        done = infer(kubectl)
    assert (done.code, done.out) == (0, "fine\n"), done.err


def test_address_of_the_cluster_is_not_asked_from_here(kubectl: Standin) -> None:
    with listening() as (port, asked):
        routed(kubectl, port, "127.0.0.1")
        spec = {"selector": {"a": "b"}, "ports": [{"port": port}], "clusterIP": "127.0.0.1"}
        made = {"kind": "Service", "metadata": {"name": "e", "namespace": "eg"}, "spec": spec}
        first(kubectl, "services", out={"kind": "List", "items": [made]})
        kubectl.serves("port-forward", _FORWARD.replace("{port}", str(port)))
        done = infer(kubectl)
    assert done.code == 0, done.err
    assert "service/e through kubectl port-forward" in done.err
    assert len(asked) == 1


def service(name: str, *ports: int, **spec: Any) -> dict[str, Any]:
    """A Service in the namespace of the gateways."""
    listed = [{"port": port} for port in ports]
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": "infra"},
        "spec": {"selector": {"app": "proxy"}, "ports": listed, **spec},
    }


def lists(kubectl: Standin, *services: dict[str, Any], read: tuple[str, ...] = ()) -> None:
    """Answers reads of Services, or only those that begin with these words."""
    first(kubectl, "services", *read, out={"kind": "List", "items": list(services)})


def forbids(kubectl: Standin, *read: str) -> None:
    """Refuses reads of Services that begin with these words."""
    first(kubectl, "services", *read, err=_FORBIDDEN)


def test_second_address_of_the_cluster_is_not_asked_from_here(kubectl: Standin) -> None:
    with listening() as (port, asked):
        routed(kubectl, port, "127.0.0.1")
        two = service("dual", port, clusterIP="fd00::7", clusterIPs=["fd00::7", "127.0.0.1"])
        # As the API server, whose field selector knows the first address only.
        others = "--field-selector=spec.type!=LoadBalancer,spec.type!=ExternalName"
        lists(kubectl, two, read=("--all-namespaces", others))
        kubectl.serves("port-forward", _FORWARD.replace("{port}", str(port)))
        done = infer(kubectl)
    assert done.code == 0, done.err
    assert "service/dual through kubectl port-forward" in done.err
    assert len(asked) == 1


@pytest.mark.parametrize("more", [{}, {"selector": None}])
def test_address_of_a_service_that_takes_no_request_is_not_asked_from_here(
    kubectl: Standin, more: dict[str, Any]
) -> None:
    with listening() as (port, asked):
        routed(kubectl, port, "127.0.0.1")
        lists(kubectl, service("other", port if more else port + 1, clusterIP="127.0.0.1", **more))
        done = infer(kubectl)
    assert (done.code, asked) == (5, [])
    assert f"has no Service with pods and port {port}. Pass --address with" in done.err


def test_private_address_is_not_asked_where_services_may_not_be_listed(kubectl: Standin) -> None:
    with listening() as (port, asked):
        routed(kubectl, port, "127.0.0.1")
        forbids(kubectl)
        done = infer(kubectl)
    assert (done.code, asked) == (5, [])
    assert "at 127.0.0.1 may be an address of the cluster, and you may not list" in done.err
    assert done.err.count("Pass --address with an address of the gateway") == 1


def test_private_address_is_asked_where_a_service_has_it_from_outside(kubectl: Standin) -> None:
    with listening() as (port, asked):
        routed(kubectl, port, "127.0.0.1")
        forbids(kubectl, "--all-namespaces")
        balanced = service("balanced", port, clusterIP="10.0.0.7")
        balanced["status"] = {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}}
        generated = f"--selector={GATEWAY_LABEL}=public"
        lists(kubectl, balanced, read=(generated,))
        done = infer(kubectl)
    assert done.code == 0, done.err
    assert f"to http://127.0.0.1:{port}" in done.err
    assert len(asked) == 1


def of_istio(kubectl: Standin, port: int) -> None:
    """A model whose VirtualService is attached to a Gateway of Istio."""
    prepared(kubectl, "step-pause", route={"kind": "VirtualService"})
    meta = {"name": "fraud", "namespace": "demo"}
    spec = {"hosts": [_HOST], "gateways": ["infra/public"], "http": [{}]}
    servers = [{"port": {"number": port, "protocol": "HTTP"}, "hosts": ["*"]}]
    gateway = {
        "kind": "Gateway",
        "metadata": {"name": "public", "namespace": "infra"},
        "spec": {"selector": {"app": "proxy"}, "servers": servers},
    }
    route = {"kind": "VirtualService", "metadata": meta, "spec": spec}
    first(kubectl, "virtualservices.networking.istio.io", "fraud", out=route)
    first(kubectl, "gateways.networking.istio.io", "public", out=gateway)


@pytest.mark.parametrize("everywhere", [True, False])
def test_service_of_an_istio_gateway_is_the_first_with_the_port(
    kubectl: Standin, everywhere: bool
) -> None:
    with listening() as (port, asked):
        of_istio(kubectl, port)
        lists(kubectl, service("status", port + 1), service("ingress", port))
        if not everywhere:
            forbids(kubectl, "--all-namespaces")
        kubectl.serves("port-forward", _FORWARD.replace("{port}", str(port)))
        done = infer(kubectl)
    assert done.code == 0, done.err
    assert f"service/ingress through kubectl port-forward as host {_HOST}" in done.err
    assert len(asked) == 1
    reads = [call for call in kubectl.calls if "services" in call and "app=proxy" in call[-2]]
    begins = [call[0] for call in reads]
    assert begins == (["get"] if everywhere else ["get", "--namespace=infra"])


def test_istio_gateway_whose_services_may_not_be_listed_is_one_sentence(kubectl: Standin) -> None:
    of_istio(kubectl, 80)
    forbids(kubectl)
    done = infer(kubectl)
    assert (done.code, done.out) == (5, "")
    assert "no Service with pods and port 80 among those that you may list. Pass" in done.err


def without_route(kubectl: Standin) -> None:
    prepared(kubectl, "step-pause")


def grpc(kubectl: Standin) -> None:
    prepared(kubectl, "step-pause", route={"kind": "GRPCRoute"})


def mesh(kubectl: Standin) -> None:
    prepared(kubectl, "step-pause", route={"kind": "VirtualService"})
    spec = {"hosts": ["fraud"], "gateways": ["mesh"], "http": [{}]}
    meta = {"name": "fraud", "namespace": "demo"}
    route = {"kind": "VirtualService", "metadata": meta, "spec": spec}
    first(kubectl, "virtualservices.networking.istio.io", "fraud", out=route)


def elsewhere(kubectl: Standin) -> None:
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": "/other"}}]}
    routed(kubectl, 80, "127.0.0.1", rules=[rule])


def without_gateway(kubectl: Standin) -> None:
    routed(kubectl, 80)
    first(kubectl, _GATEWAYS, "public", out="")


def of_tcp(kubectl: Standin) -> None:
    routed(kubectl, 80, protocol="TCP")


def away(kubectl: Standin) -> None:
    routed(kubectl, free_port(), "127.0.0.1")


def nameless(kubectl: Standin) -> None:
    routed(kubectl, 80, f"{'a' * 64}.example.org")


@pytest.mark.parametrize(
    ("scenario", "code", "message"),
    [
        (without_route, 2, "fraud has no route: its Service splits the traffic. Omit --route."),
        (grpc, 2, "The route of fraud is for gRPC, and infer sends HTTP"),
        (mesh, 2, "VirtualService/fraud is for callers in the mesh only"),
        (elsewhere, 2, "HTTPRoute/fraud has no path that reaches /v2/models/fraud/infer"),
        (without_gateway, 5, "gateway/public (namespace infra) does not exist"),
        (of_tcp, 5, "gateway/public (namespace infra) has no HTTP listener for its hosts"),
        (away, 5, "accepts no connection from here; gateway/public (namespace infra) has no Serv"),
        (nameless, 5, "a.example.org:80 accepts no connection from here"),
    ],
)
def test_route_that_takes_no_request_from_here_is_one_sentence(
    kubectl: Standin, scenario: Callable[[Standin], None], code: int, message: str
) -> None:
    scenario(kubectl)
    done = infer(kubectl)
    assert (done.code, done.out) == (code, "")
    assert len(done.err.splitlines()) == 1
    assert message in done.err
    assert code == 2 or done.err.endswith(
        "Pass --address with an address of the gateway that this machine reaches.\n"
    )


def test_route_and_role_exclude_each_other(kubectl: Standin) -> None:
    done = infer(kubectl, "--candidate")
    assert (done.code, kubectl.calls) == (2, [])
    assert "Use one of --candidate, --stable, --pod, --route and --address." in done.err
