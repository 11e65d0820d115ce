"""`infer`: what is sent, and how it is known which revision answered."""

from __future__ import annotations

import copy
import http.server
import json
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from canarium.view.inference import origin, usual_request
from canarium.view.objects import REVISION_LABEL, Objects, label
from canarium_cli.exits import CliError
from canarium_cli.request_input import headers_of
from cli.standin import FAULTS, Standin
from view.samples import objects, sample

MODELS = "modeldeployments.canarium.dev"
#: A stand-in for `kubectl proxy` that answers as the API server and the Service behind it would.
_PROXY = """#!{python} -S
import http.server, json, os, socketserver, sys
words = dict(x[2:].partition("=")[::2] for x in sys.argv[1:] if x.startswith("--"))
answers = json.load(open({answers!r}))
class Handler(http.server.BaseHTTPRequestHandler):
    def address_string(self): return ""
    def log_message(self, *_): pass
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        code, body = answers[len(seen) % len(answers)]
        seen.append(self.path)
        with open({answers!r} + ".seen", "a") as file: file.write(self.path + chr(10))
        self.send_response(code); self.end_headers(); self.wfile.write(body.encode())
seen = []
with socketserver.UnixStreamServer(words["unix-socket"], Handler) as server:
    print("Starting to serve on", words["unix-socket"], flush=True)
    server.serve_forever(0.02)
"""


def prepared(kubectl: Standin, name: str, **status: Any) -> Objects:
    items, _ = sample(name)
    model = next(x for x in items if x["kind"] == "ModelDeployment")
    model["status"].update(status)
    stored = [x for x in items if x["kind"] == "ControllerRevision"]
    rest = [x for x in items if x["kind"] not in ("ModelDeployment", "ControllerRevision")]
    kubectl.answers("get", MODELS, out=model)
    kubectl.answers("get", "controllerrevisions.apps", out={"kind": "List", "items": stored})
    kubectl.answers("get", out={"kind": "List", "items": rest})
    return objects(name)[0]


def proxy(kubectl: Standin, folder: Path, *answers: tuple[int, str]) -> Path:
    """Lets `kubectl proxy` answer in turn; the file of the paths that were asked for."""
    path = folder / "answers"
    path.write_text(json.dumps(answers))
    kubectl.serves("proxy", _PROXY.replace("{answers!r}", repr(str(path))))
    return Path(f"{path}.seen")


def v2(version: str) -> str:
    return json.dumps({"model_version": version, "outputs": []})


def test_answer_names_the_revision_that_gave_it(kubectl: Standin, tmp_path: Path) -> None:
    prepared(kubectl, "step-pause")
    seen = proxy(kubectl, tmp_path, (200, v2("v2")))
    done = kubectl.run("infer", "fraud")
    assert done.code == 0, done.err
    assert done.out == v2("v2") + "\n"
    assert "POST /v2/models/fraud/infer (a minimal body of the protocol V2)" in done.err
    assert "revision 4nb6hnp6, version v2, candidate (model_version in the answer)" in done.err
    assert seen.read_text() == (
        "/api/v1/namespaces/demo/services/fraud:http/proxy/v2/models/fraud/infer\n"
    )
    (words,) = [x for x in kubectl.calls if "proxy" in x]
    accepted = next(x for x in words if x.startswith("--accept-paths="))
    assert accepted.endswith("fraud:http/proxy/")


def test_split_is_that_of_the_answers(kubectl: Standin, tmp_path: Path) -> None:
    prepared(kubectl, "step-pause")
    proxy(kubectl, tmp_path, *[(200, v2("v1"))] * 3, (200, v2("v2")))
    found = kubectl.run("infer", "fraud", "--repeat", "8", "-o", "json")
    assert found.code == 0, found.err
    split = {x["revision"]: (x["requests"], x["percent"]) for x in json.loads(found.out)["split"]}
    assert split == {"jgpcfw9h": (6, 75.0), "4nb6hnp6": (2, 25.0)}
    text = kubectl.run("infer", "fraud", "--repeat", "4")
    assert "4 requests to service/fraud through the API server" in text.out
    assert "The revision is known by: model_version in the answer." in text.out


def test_answer_that_names_no_revision_is_of_an_unknown_one(
    kubectl: Standin, tmp_path: Path
) -> None:
    prepared(kubectl, "step-pause")
    proxy(kubectl, tmp_path, (200, "{}"))
    found = json.loads(kubectl.run("infer", "fraud", "-o", "json").out)
    assert found["revision"] is None
    assert found["knownBy"] == "neither a header nor the answer names it"
    kubectl.answers("auth", "can-i", "create", "pods", code=1)
    many = kubectl.run("infer", "fraud", "--repeat", "3")
    assert "unknown" in many.out
    assert "Answers of an unknown revision name no version" in many.out


def test_split_of_answers_without_a_version_is_counted_by_pod(
    kubectl: Standin, tmp_path: Path
) -> None:
    found = prepared(kubectl, "step-pause")
    seen = proxy(kubectl, tmp_path, (200, "{}"))
    kubectl.answers("auth", "can-i", "create", "pods")
    done = kubectl.run("infer", "fraud", "--repeat", "40", "-o", "json")
    assert done.code == 0, done.err
    split = json.loads(done.out)
    assert split["knownBy"] == ["the pod that was asked"]
    assert "random one of the" in split["sentTo"]
    revisions = {x["metadata"]["name"]: label(x, REVISION_LABEL) for x in found.pods}
    asked = [path.partition("/pods/")[2].partition(":")[0] for path in seen.read_text().split()[1:]]
    counted = Counter(revisions[name] for name in asked)
    assert {x["revision"]: x["requests"] for x in split["split"]} == counted
    assert counted.keys() == {"jgpcfw9h", "4nb6hnp6"}


def test_service_beside_a_route_is_reported_to_reach_stable_only(
    kubectl: Standin, tmp_path: Path
) -> None:
    prepared(kubectl, "step-pause", route={"kind": "HTTPRoute"})
    proxy(kubectl, tmp_path, (200, v2("v1")))
    assert "Note: the Service reaches stable only" in kubectl.run("infer", "fraud").err


def test_error_of_the_model_is_printed_with_exit_code_1(kubectl: Standin, tmp_path: Path) -> None:
    prepared(kubectl, "ready")
    proxy(kubectl, tmp_path, (400, '{"error": "bad shape"}'))
    done = kubectl.run("infer", "fraud")
    assert done.code == 1
    assert "bad shape" in done.out
    assert "pass one that the model takes with -f" in done.err


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        (
            503,
            {"reason": "ServiceUnavailable", "message": 'no endpoints available for service "f"'},
            "has no ready endpoint",
        ),
        (
            403,
            {"reason": "Forbidden", "message": 'services "fraud:http" is forbidden: User "jane"'},
            "Ask for the right",
        ),
    ],
)
def test_error_of_the_api_server_is_not_taken_for_one_of_the_model(
    kubectl: Standin, tmp_path: Path, code: int, status: dict[str, str], words: str
) -> None:
    prepared(kubectl, "ready")
    proxy(kubectl, tmp_path, (code, json.dumps({"kind": "Status", **status})))
    done = kubectl.run("infer", "fraud")
    assert done.code == 5
    assert words in done.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["-f", "absent.json"], 2, "Cannot read absent.json: No such file or directory. Pass"),
        (["-f", "-"], 2, "- is not valid JSON"),
        (["--path", "x"], 2, "has to begin with /"),
        (["-H", "odd"], 2, "is not a header"),
        (["--address", "ftp://x"], 2, "is not an address"),
        (["--candidate", "--stable"], 2, "Use one of"),
        (["--candidate"], 4, "has no ready pod of role candidate"),
        (["--pod", "other"], 4, "has no pod other"),
    ],
)
def test_wrong_options(kubectl: Standin, words: list[str], code: int, message: str) -> None:
    prepared(kubectl, "ready")
    done = kubectl.run("infer", "fraud", *words, stdin="{")
    assert done.code == code
    assert message in done.err


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "Expecting value"),
        ("hello", "Expecting value"),
        ('{"inputs": [NaN]}', "NaN is not a JSON value"),
        ("[-Infinity]", "-Infinity is not a JSON value"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_body_that_is_not_json_is_refused_before_anything_is_sent(
    kubectl: Standin, body: str, message: str
) -> None:
    done = kubectl.run("infer", "fraud", "-f", "-", stdin=body)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert message in done.err
    assert kubectl.calls == []


def test_connection_that_is_not_made_leaves_no_file(
    kubectl: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    prepared(kubectl, "step-pause")
    kubectl.fails(FAULTS["expired credentials"][0], "proxy")
    done = kubectl.run("infer", "fraud")
    assert done.code == 5
    assert "log in again" in done.err
    assert list(folder.iterdir()) == []


class _Gateway(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("X-Canarium-Revision", "jgpcfw9h")
        self.end_headers()
        self.wfile.write(b"fine")

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def gateway() -> Iterator[str]:
    """The address of something that answers as a route of ours does."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Gateway) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_address_is_asked_directly_and_its_header_believed(kubectl: Standin, gateway: str) -> None:
    prepared(kubectl, "step-pause")
    done = kubectl.run("infer", "fraud", "--address", gateway)
    assert (done.code, done.out) == (0, "fine\n")
    assert "revision jgpcfw9h, version v1, stable (header x-canarium-revision)" in done.err


def test_address_that_does_not_answer_is_unreachable(kubectl: Standin) -> None:
    prepared(kubectl, "ready")
    done = kubectl.run("infer", "fraud", "--address", "http://127.0.0.1:1")
    assert done.code == 5
    assert len(done.err.splitlines()) == 1


def with_tests(*tests: dict[str, Any]) -> Objects:
    found, _ = objects("ready")
    model: Any = copy.deepcopy(found.model)
    model["spec"]["rollout"]["smokeTests"] = list(tests)
    return Objects.of(model, found.records)


def test_smoke_test_is_the_usual_request() -> None:
    stable = "4nb6hnp6"
    health = {"grpc": {"port": 9000}}
    other = {"path": "/metrics", "port": 8082}
    body = {"inputs": [1]}
    found = usual_request(with_tests(health, other, {"body": body}), stable)
    assert found
    assert (found.path, found.body) == ("/v2/models/fraud/infer", json.dumps(body))
    plain = usual_request(with_tests({"path": "/v2/models/fraud/ready"}), stable)
    assert plain
    assert plain.body is None
    minimal = usual_request(with_tests(), stable)
    assert minimal
    assert json.loads(minimal.body or "")["inputs"][0]["datatype"] == "FP32"
    assert usual_request(with_tests(), "unknown1") is None


def test_revision_is_the_only_one_with_traffic() -> None:
    found, _ = objects("ready")
    known = origin(found, {}, "text")
    assert (known.revision, known.how) == ("4nb6hnp6", "no other revision has traffic")


def test_headers_are_read_from_a_file_whose_lines_errors_do_not_repeat(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("Authorization: Bearer secret\n\nx-team: risk\n")
    found = [("Authorization", "Bearer secret"), ("x-team", "risk")]
    assert list(headers_of(f"@{file}")) == found
    assert list(headers_of("x-team: risk")) == found[1:]
    file.write_text("x-team: risk\nBearer secret\n")
    with pytest.raises(CliError, match=f"Line 2 of {file} is not a header") as caught:
        list(headers_of(f"@{file}"))
    assert "secret" not in caught.value.message
    with pytest.raises(CliError, match="absent: No such file"):
        list(headers_of(f"@{tmp_path / 'absent'}"))
