"""An API server that is killed and started again below a running command, one without our CRDs, and
credentials that it does not accept. No operator runs: the tests write the status."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.screen import Terminal
from cli.test_faults import ASKING
from integration.cli.program import Done, Program
from sandbox import clients, pki
from sandbox.controlplane import ControlPlane
from view.samples import sample

ROOT = Path(__file__).parents[3]
_SERVING = {"phase": "Ready", "message": "Version v2 is serving", "candidate": None}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A separate API server, without our CRDs at first and without controllers."""
    plane = ControlPlane(tmp_path_factory.mktemp("bare"), controllers=False)
    try:
        plane.up()
        yield plane
    finally:
        plane.down()


@pytest.fixture
def run(bare: ControlPlane) -> Program:
    return Program(bare.kubeconfig, "default")


@pytest.fixture
def fraud(bare: ControlPlane) -> Iterator[str]:
    """A model at weight 25, as an operator would report it."""
    bare.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    bare.api.await_definitions()
    items, _ = sample("step-pause")
    model: Any = next(x for x in items if x["kind"] == "ModelDeployment")
    status = {**model["status"], "observedGeneration": 1}
    model = {**model, "metadata": {"name": "fraud", "namespace": "default"}}
    bare.kubectl("apply", "-f", "-", stdin=json.dumps(model))
    report(bare, **status)
    yield "fraud"
    bare.kubectl("delete", "modeldeployment", "fraud")


def report(plane: ControlPlane, **status: Any) -> None:
    """Writes a part of the status."""
    patch = json.dumps({"status": status})
    words = ("patch", "modeldeployment", "fraud", "--subresource=status", "--type=merge")
    plane.kubectl(*words, "--patch", patch)


def ready_status() -> dict[str, Any]:
    """What changes when the candidate is promoted."""
    condition = {"lastTransitionTime": "2026-11-28T14:28:14Z", "message": "", "reason": "Serving"}
    conditions = [{**condition, "type": x, "status": "True"} for x in ("Available", "Ready")]
    return {**_SERVING, "conditions": conditions, "weight": None}


async def line_with(stream: asyncio.StreamReader | None, words: str) -> str:
    """Reads until a line that contains the words."""
    assert stream

    async def found() -> str:
        while line := (await stream.readline()).decode():
            if words in line:
                return line
        raise AssertionError(f"the output ended without {words!r}")

    return await asyncio.wait_for(found(), 30)


async def test_cluster_without_the_crds_is_one_sentence(run: Program) -> None:
    verbs = "get status promote infer report"
    commands = [[verb, "fraud"] for verb in verbs.split()]
    commands.append(["list"])
    commands.append(["plan", "--server", "-f", str(ROOT / "examples" / "canary.yaml")])
    for done in await asyncio.gather(*(run.run(*words) for words in commands)):
        text = done.out + done.err
        assert done.code == 5, text
        assert len(text.splitlines()) == 1
        assert "install Canarium's CRDs" in text


async def test_cluster_without_the_crds_is_found_by_doctor_and_version(run: Program) -> None:
    doctor = await run.run("doctor", "-o", "json")
    assert doctor.code == 1
    levels = {x["subject"]: x["level"] for x in doctor.json["findings"]}
    assert levels["CRDs"] == "problem"
    version = await run.run("version", "-o", "json")
    assert version.code == 0
    assert version.json["skew"] == "missing"


def with_user(plane: ControlPlane, folder: Path, user: dict[str, Any]) -> Program:
    """The program with other credentials than those of the administrator."""
    body = json.loads(plane.kubeconfig.read_text())
    body["users"][0]["user"] = user
    file = folder / "kubeconfig"
    file.write_text(json.dumps(body))
    return Program(file, "default")


async def test_expired_token_is_one_sentence_of_every_verb(
    bare: ControlPlane, fraud: str, tmp_path: Path
) -> None:
    program = with_user(bare, tmp_path, {"token": "expired"})
    limit = asyncio.Semaphore(3)

    async def ended(words: tuple[str, ...]) -> Done:
        async with limit:
            return await program.run(*words)

    verbs = [words for verb, words in ASKING.items() if verb != "top"]
    for words, done in zip(verbs, await asyncio.gather(*map(ended, verbs)), strict=True):
        assert (done.code, done.out) == (5, ""), (words, done)
        assert len(done.err.splitlines()) == 1, words
        assert "missing or expired: log in again" in done.err, words
    assert await program.run("doctor", "--installation", "--wait", "--timeout", "1s") == Done(
        5, "", done.err
    )


def expired_certificate(plane: ControlPlane, folder: Path) -> dict[str, Any]:
    """A certificate that the cluster's authority has signed until yesterday."""
    key, request, signed = (folder / f"old.{kind}" for kind in ("key", "csr", "crt"))
    authority = pki.Authority(plane.folder / "pki")
    subject = ("-newkey", "rsa:2048", "-nodes", "-subj", "/O=system:masters/CN=old")
    by = ("-CA", str(authority.certificate), "-CAkey", str(authority.key), "-CAcreateserial")
    for words in (
        ("req", "-new", *subject, "-keyout", str(key), "-out", str(request)),
        ("x509", "-req", "-in", str(request), *by, "-days", "-1", "-out", str(signed)),
    ):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    return {"client-certificate": str(signed), "client-key": str(key)}


def failing_plugin(plane: ControlPlane, folder: Path) -> dict[str, Any]:
    """A credential plugin whose own session has expired."""
    plugin = folder / "plugin"
    plugin.write_text("#!/bin/sh\necho 'The session has expired: run acme login' >&2\nexit 1\n")
    plugin.chmod(0o755)
    version = "client.authentication.k8s.io/v1"
    return {
        "exec": {"apiVersion": version, "command": str(plugin), "interactiveMode": "IfAvailable"}
    }


def none_at_all(plane: ControlPlane, folder: Path) -> dict[str, Any]:
    """A user without credentials, for whom kubectl would ask at a terminal."""
    return {}


@pytest.mark.parametrize(
    ("user", "advice"),
    [
        (expired_certificate, "missing or expired: log in again"),
        (failing_plugin, "(The session has expired: run acme login). The credential plugin failed"),
        (none_at_all, "has no credentials for this context. Log in"),
    ],
)
async def test_unusable_credentials_are_one_sentence(
    bare: ControlPlane,
    tmp_path: Path,
    user: Callable[[ControlPlane, Path], dict[str, Any]],
    advice: str,
) -> None:
    program = with_user(bare, tmp_path, user(bare, tmp_path))
    verbs = ("doctor",), ("version",), ("list", "-A"), ("logs", "fraud"), ("infer", "fraud")
    for done in await asyncio.gather(*(program.run(*words) for words in verbs)):
        assert (done.code, done.out) == (5, ""), done
        assert len(done.err.splitlines()) == 1
        assert advice in done.err


async def test_watches_survive_an_api_server_that_is_killed(
    bare: ControlPlane, run: Program, fraud: str, tmp_path: Path
) -> None:
    command = [
        *(
            sys.executable,
            "-m",
            "canarium_cli.main",
            "get",
            "fraud",
            "--watch",
            "--until",
            "serving",
        ),
        *("--kubeconfig", str(bare.kubeconfig), "--namespace", "default"),
    ]
    environment = {**os.environ, "KUBECTL": str(clients.find("kubectl"))}
    following = await run.start("get", "fraud", "--watch")
    listing = await run.start("list", "--watch")
    waiting = await run.start("status", "fraud", "--until", "serving", "--timeout", "60s")
    try:
        with Terminal(tmp_path, command, environment) as terminal:
            await asyncio.to_thread(terminal.until, lambda shown: "weight 25" in shown)
            for process in (following, listing, waiting):
                await line_with(process.stdout, "25 %")
            bare.part("apiserver").kill()
            shown = await asyncio.to_thread(
                terminal.until, lambda shown: "Connection lost: " in shown
            )
            # Redrawn in place, and what was known stays on the screen.
            assert shown.count("Phase ") == 1
            for process in (following, listing):
                await line_with(process.stdout, "Connection lost: ")
            bare.start_apiserver()
            report(bare, **ready_status())
            await line_with(following.stdout, "Ready")
            await line_with(listing.stdout, "Ready")
            await line_with(waiting.stdout, "Version v2 is serving")
            assert await asyncio.wait_for(waiting.wait(), 30) == 0
            await asyncio.to_thread(terminal.until, lambda shown: "fraud" not in shown)
        assert following.returncode is None
        following.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(following.wait(), 30) == 0
    finally:
        for process in (following, listing, waiting):
            if process.returncode is None:
                process.kill()
            await process.wait()


async def test_command_is_answered_after_an_outage(
    bare: ControlPlane, run: Program, fraud: str
) -> None:
    sent = await run.start("promote", "fraud", "--timeout", "60s")
    try:
        for _ in range(600):
            annotations = json.loads(bare.kubectl("get", "modeldeployment", "fraud", "-o", "json"))[
                "metadata"
            ].get("annotations", {})
            if "canarium.dev/promote" in annotations:
                break
            await asyncio.sleep(0.05)
        revision, _, token = annotations["canarium.dev/promote"].partition("/")
        bare.part("apiserver").kill()
        bare.start_apiserver()
        answer = {"command": "promote", "revision": revision, "token": token, "result": "Accepted"}
        answer |= {"message": "the current pause ends", "time": "2026-11-28T14:28:30Z"}
        report(bare, commands=[answer])
        out, err = await asyncio.wait_for(sent.communicate(), 60)
        assert sent.returncode == 0, err.decode()
        assert re.fullmatch(rf"fraud: promote {revision}: the current pause ends\n", out.decode())
    finally:
        if sent.returncode is None:
            sent.kill()
            await sent.wait()


async def test_api_server_that_is_stopped_is_a_timeout_of_the_request(
    bare: ControlPlane, run: Program, fraud: str
) -> None:
    bare.part("apiserver").pause()
    try:
        done = await run.run("get", "fraud", "--request-timeout", "1s")
    finally:
        bare.part("apiserver").resume()
    assert done.code == 5
    assert len(done.err.splitlines()) == 1
    assert "request-timeout" in done.err or "network" in done.err
