"""Which login of a Docker configuration is for a repository: the one that the kubelet would use."""

from __future__ import annotations

import base64
import time

import pytest

from canarium.api.oci import (
    LoginMissing,
    chosen_login,
    docker_logins,
    registry_server,
    server_repository,
)

rule = pytest.mark.rule


def config(*names: str) -> dict[str, object]:
    """A configuration of which each entry has its own name as the user."""
    auths = {
        name: {"auth": base64.b64encode(f"{name.replace(':', ' ')}:pw".encode()).decode()}
        for name in names
    }
    return {"auths": auths}


def user(names: tuple[str, ...], host: str, repository: str) -> str:
    found = chosen_login(docker_logins(config(*names), host), host, repository)
    assert found[1] == "pw"
    return found[0].replace(" ", ":")


@rule("R26")
@pytest.mark.parametrize(
    ("names", "host", "repository", "chosen"),
    [
        (("other.io", "r.io"), "r.io", "m", "r.io"),
        (("https://r.io/v1/",), "r.io", "m", "https://r.io/v1/"),
        (("r.io/v2",), "r.io", "m", "r.io/v2"),
        (("r.io:5000", "r.io"), "r.io:5000", "m", "r.io:5000"),
        (("*.r.io", "*.io"), "eu.r.io", "m", "*.r.io"),
        (("*.r.io", "eu.r.io"), "eu.r.io", "m", "eu.r.io"),
        (("1*.dkr.*.example",), "123.dkr.eu-1.example", "m", "1*.dkr.*.example"),
        (("*.r.io:5000",), "eu.r.io:5000", "m", "*.r.io:5000"),
        (("r.io", "r.io/team", "r.io/team/models"), "r.io", "team/models/m", "r.io/team/models"),
        (("r.io/team", "r.io"), "r.io", "other/m", "r.io"),
        (("r.io", "*.io/team"), "r.io", "team/m", "*.io/team"),
        (("https://index.docker.io/v1/",), "docker.io", "o/m", "https://index.docker.io/v1/"),
        (("docker.io",), "docker.io", "busybox", "docker.io"),
        (("docker.io/library",), "docker.io", "busybox", "docker.io/library"),
        (("docker.io",), "registry-1.docker.io", "o/m", "docker.io"),
    ],
)
def test_login_with_the_longest_path_is_chosen_and_then_the_exact_host(
    names: tuple[str, ...], host: str, repository: str, chosen: str
) -> None:
    assert user(names, host, repository) == chosen


@rule("R26")
@pytest.mark.parametrize(
    ("names", "host", "repository", "words"),
    [
        (("*.io",), "eu.r.io", "m", r"knows \*\.io, but not eu\.r\.io"),
        (("*.r.io",), "r.io", "m", "but not r.io"),
        (("a*b.io",), "ab.b.io", "m", "but not"),
        (("ab*ba.io",), "aba.io", "m", "but not"),
        (("r.io",), "r.io:5000", "m", "but not r.io:5000"),
        (("r.io/team",), "r.io", "other/m", "knows r.io/team, but not r.io/other/m"),
        (("index.docker.io",), "docker.example", "m", "but not docker.example"),
        ((), "r.io", "m", "knows none, but not r.io"),
        (tuple(f"r.io/{n}" for n in range(101)), "r.io", "1", "more than 100 logins for r.io"),
    ],
)
def test_configuration_without_a_login_for_the_repository_lists_those_it_has(
    names: tuple[str, ...], host: str, repository: str, words: str
) -> None:
    with pytest.raises(LoginMissing, match=words):
        user(names, host, repository)


@rule("R26")
def test_entry_without_a_password_is_skipped() -> None:
    auths = {"r.io/a": {"auth": "!"}, "r.io/a/b": None, "r.io": {"username": "u", "password": "p"}}
    logins = docker_logins({"auths": auths}, "r.io")
    assert chosen_login(logins, "r.io", "a/b/c") == ("u", "p")
    assert "'p'" not in str(logins)


@rule("R31")
def test_hostile_globs_cost_little() -> None:
    names = tuple(f"{'*a' * 40}{number}.io" for number in range(2000))
    hostile = config(*names)
    began = time.process_time()
    with pytest.raises(LoginMissing):
        docker_logins(hostile, f"{'a' * 60}.io")
    assert time.process_time() - began < 0.2


@rule("R26")
def test_docker_hub_is_asked_at_its_server() -> None:
    assert {registry_server(host) for host in ("docker.io", "index.docker.io")} == {
        "registry-1.docker.io"
    }
    assert registry_server("r.io") == "r.io"
    assert server_repository("docker.io", "busybox") == "library/busybox"
    assert server_repository("docker.io", "o/m") == "o/m"
    assert server_repository("r.io", "busybox") == "busybox"
