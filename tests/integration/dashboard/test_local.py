"""`kubectl modeldeploy dashboard` as a process, and access as named groups, on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import yaml

from integration.conftest import Cluster
from integration.dashboard.people import served
from integration.rights import rendered
from sandbox import clients

_SECRET = "a secret that the proxy sends"


async def test_verb_listens_on_loopback_with_a_key_and_ends_its_proxy(cluster: Cluster) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "canarium_cli.main", "dashboard", "--actions"),
        f"--kubeconfig={cluster.plane.kubeconfig}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "KUBECTL": str(clients.find("kubectl")), "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout
    assert process.stderr
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\?key=\S+", line)
        assert found, line + (await process.stderr.read()).decode()
        port, model = int(found[1]), f"/models/{cluster.namespace}/fraud"
        assert _listening(port) == {"0100007F"}
        children = _children(process.pid)
        assert len(children) == 1, "kubectl proxy"
        url = f"http://127.0.0.1:{port}"
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as browser:
            async with browser.get(f"{url}{model}") as answer:
                assert answer.status == 401
            async with browser.get(found[0], headers={"Host": "rebound.example"}) as answer:
                assert answer.status == 421
            async with browser.get(found[0]) as answer:
                assert answer.status == 200
                assert urlsplit(str(answer.url)).query == ""
                assert "fraud" in await answer.text()
            async with browser.get(f"{url}{model}") as answer:
                assert "Serving version" in await answer.text()
    finally:
        process.send_signal(signal.SIGINT)
        code = await asyncio.wait_for(process.wait(), 30)
    assert code == 0
    assert not any(map(_is_running, children))


async def test_browser_is_opened_without_a_secret_in_a_command_line(
    cluster: Cluster, tmp_path: Path
) -> None:
    arguments, browser = tmp_path / "arguments", tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\nprintf "%s" "$*" > {arguments}.new\nmv {arguments}.new {arguments}\n'
    )
    browser.chmod(0o755)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "canarium_cli.main", "dashboard", "--open"),
        f"--kubeconfig={cluster.plane.kubeconfig}",
        stdout=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "KUBECTL": str(clients.find("kubectl")),
            "PYTHONUNBUFFERED": "1",
            "BROWSER": f"{browser} %s",
        },
    )
    try:
        assert process.stdout
        printed = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        for _ in range(200):
            if arguments.exists():
                break
            await asyncio.sleep(0.05)
        page = _page_of(arguments)
        assert page.modes == (0o600, 0o700)
        assert page.key not in printed
        assert page.key.encode() not in _command_lines()
        for expected in (200, 401):
            async with (
                aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
                session.get(page.address, headers={"Sec-Fetch-Site": "cross-site"}) as answer,
            ):
                assert answer.status == expected
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), 30)
    assert not page.exists()


@dataclass(frozen=True, slots=True)
class _Page:
    """The page that a browser was called with: its path, and the address that it leads to."""

    path: Path
    address: str
    key: str
    #: Permissions of the file and of its folder.
    modes: tuple[int, int]

    def exists(self) -> bool:
        return self.path.exists()


def _page_of(arguments: Path) -> _Page:
    path = Path(arguments.read_text().removeprefix("file://"))
    found = re.search(r'url=(http://127\.0\.0\.1:\d+/\?key=([^"]+))"', path.read_text())
    assert found
    modes = path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777
    return _Page(path, found[1], found[2], modes)


def _command_lines() -> bytes:
    """The command lines of all processes, as every user of the machine can read them."""
    lines = b""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        # A process may end meanwhile.
        with contextlib.suppress(OSError):
            lines += file.read_bytes()
    return lines


def _listening(port: int) -> set[str]:
    """The addresses on which a port is open, as the kernel writes them."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    lines += Path("/proc/net/tcp6").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    wanted = f"{port:04X}"
    return {f[1].split(":")[0] for f in fields if f[3] == "0A" and f[1].endswith(f":{wanted}")}


def _is_running(pid: str) -> bool:
    return Path(f"/proc/{pid}").exists()


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


async def test_proxy_gives_people_the_rights_of_their_groups(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    group = f"team-{cluster.namespace}"
    own = _install(cluster, group)
    token = tmp_path / "token"
    account = ("-n", cluster.namespace, "create", "token", own)
    token.write_text(cluster.plane.kubectl(*account, "--duration=1h"))
    kubectl = ("-n", cluster.namespace, "create", "rolebinding", "team", "--clusterrole=view")
    cluster.plane.kubectl(*kubectl, f"--group={group}")
    _allow_models(cluster, group)
    os.environ["CANARIUM_PROXY_SECRET"] = _SECRET
    flags = ("--access=impersonation", f"--group={group}", f"--token-file={token}")
    ours = {"X-Canarium-Proxy-Secret": _SECRET, "X-Forwarded-User": "ann@example.com"}
    model = f"/models/{cluster.namespace}/fraud"
    try:
        with served(cluster.plane, tmp_path, *flags) as address:
            async with aiohttp.ClientSession() as browser:
                for groups, expected in ((group, 200), ("other", 401), ("system:masters", 401)):
                    headers = {**ours, "X-Forwarded-Groups": groups}
                    async with browser.get(address + model, headers=headers) as answer:
                        assert answer.status == expected, groups
                    async with browser.get(
                        address + model, headers={**headers, "X-Canarium-Proxy-Secret": "no"}
                    ) as answer:
                        assert answer.status == 401
    finally:
        del os.environ["CANARIUM_PROXY_SECRET"]
    log = (cluster.plane.folder / "audit.log").read_text()
    assert "canarium.dev/user" in log
    assert "ann@example.com" in log


def _install(cluster: Cluster, group: str) -> str:
    """Applies the chart's account of the dashboard and its rights; returns its name."""
    values = (
        f'fullnameOverride="{cluster.namespace}"',
        f'dashboard={{"enabled":true,"access":"impersonation","impersonation":{{"groups":'
        f'["{group}"],"secretName":"proxy"}}}}',
    )
    kinds = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding")
    bodies = [
        body
        for body in rendered(*values, namespace=cluster.namespace)
        if body["kind"] in kinds and body["metadata"]["name"].endswith("-dashboard")
    ]
    assert {body["kind"] for body in bodies} == set(kinds)
    cluster.plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(bodies))
    return f"{cluster.namespace}-dashboard"


def _allow_models(cluster: Cluster, group: str) -> None:
    """Lets the group read models, which the role `view` of the chart would add."""
    words = ("-n", cluster.namespace, "create")
    resource = "--resource=modeldeployments.canarium.dev,controllerrevisions.apps"
    cluster.plane.kubectl(*words, "role", "models", "--verb=get,list,watch", resource)
    cluster.plane.kubectl(*words, "rolebinding", "models", "--role=models", f"--group={group}")
