"""Headers, hosts, origins and CSRF tokens; and that no route answers or writes without a token."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from canarium_dashboard.access.header import HeaderAccess
from canarium_dashboard.access.local import LocalAccess
from canarium_dashboard.access.sessions import LIFE, LIMIT, Sessions
from canarium_dashboard.app import routes
from canarium_dashboard.pages.login import inside
from dashboard.standin import HOST, TOKEN, Browser, StandInApi, browsing

#: What is served without an identity.
_PUBLIC = {"/healthz", "/login", "/static/{path:path}"}
_ROUTES = [(m, r.path) for r in routes("") for m in sorted(r.methods or ()) if m != "HEAD"]
_COMMAND = "/models/demo/fraud/commands/abort"


def path_of(template: str) -> str:
    """A path of the sample that a route serves."""
    values = {"namespace": "demo", "name": "fraud", "revision": "4nb6hnp6", "command": "abort"}
    values |= {"pod": "fraud-4nb6hnp6-5b8f8c845c-jrws2", "gate": "risk"}
    return re.sub(r"{(\w+)(:path)?}", lambda m: values.get(m[1], "app.css"), template)


async def form_of(browser: Browser, path: str = _COMMAND) -> dict[str, str]:
    """The hidden fields of a confirmation."""
    answer = await browser.get(path)
    assert answer.status == 200, answer.text
    return dict(re.findall(r'name="(csrf|revision|token)" value="([^"]*)"', answer.text[-2000:]))


def test_public_routes_are_these() -> None:
    assert {path for _, path in _ROUTES} >= _PUBLIC
    assert ("POST", "/models/{namespace}/{name}/commands/{command}") in _ROUTES


@pytest.mark.parametrize(("method", "template"), _ROUTES)
async def test_nothing_is_read_or_written_without_a_token(method: str, template: str) -> None:
    api = StandInApi()
    async with browsing(api, login=False, actions=True) as browser:
        path = path_of(template)
        fields = {"csrf": "x", "revision": "4nb6hnp6"}
        answer = await (browser.get(path) if method == "GET" else browser.post(path, fields))
        assert api.calls == []
        assert api.writes == []
        if template in _PUBLIC:
            assert answer.status in (200, 401)
        else:
            assert answer.status == 303
            assert answer.headers["location"].startswith("/login")
            assert "fraud" not in answer.text


@pytest.mark.parametrize(("method", "template"), _ROUTES)
async def test_every_request_to_the_api_server_has_the_token_of_the_person(
    method: str, template: str
) -> None:
    api = StandInApi()
    async with browsing(api, actions=True) as browser:
        if not template.endswith("/stream") and method == "GET":
            await browser.get(path_of(template))
    assert {authorization for *_, authorization in api.calls} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    "path", ["/", "/login", "/healthz", "/static/app.js", "/models/demo/none", "/nowhere"]
)
async def test_every_answer_has_the_security_headers(path: str) -> None:
    async with browsing() as browser:
        headers = (await browser.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert "server" not in headers


async def test_no_page_has_inline_script_or_style_or_foreign_addresses() -> None:
    async with browsing(actions=True) as browser:
        for _, template in _ROUTES:
            if template.endswith("/stream") or "static" in template:
                continue
            text = (await browser.get(path_of(template))).text
            assert not re.search(r"<script(?![^>]*\ssrc=)", text), template
            assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text), template
            assert not re.search(r'(src|href|action)="(https?:)?//', text), template


async def test_pages_are_not_stored_by_browsers() -> None:
    async with browsing() as browser:
        assert (await browser.get("/")).headers["cache-control"] == "no-store"


async def test_session_cookie_is_out_of_reach_of_scripts_and_other_sites() -> None:
    async with browsing(login=False) as browser:
        fields = {"token": TOKEN, "next": "/runtimes"}
        plain = await browser.post("/login", fields)
        secure = await browser.post("/login", fields, x_forwarded_proto="https")
    assert plain.headers["location"] == "/runtimes"
    assert "HttpOnly" in plain.headers["set-cookie"]
    assert "SameSite=strict" in plain.headers["set-cookie"]
    assert "Secure" not in plain.headers["set-cookie"]
    assert "Secure" in secure.headers["set-cookie"]
    assert TOKEN not in plain.headers["set-cookie"]


async def test_command_is_written_once_with_the_revision_that_was_confirmed() -> None:
    api = StandInApi()
    async with browsing(api, actions=True) as browser:
        fields = await form_of(browser)
        answer = await browser.post(_COMMAND, fields)
    assert answer.status == 303, answer.text
    ((path, body),) = api.writes
    assert path.endswith("/namespaces/demo/modeldeployments/fraud")
    value = f"4nb6hnp6/{fields['token']}"
    assert body == {"metadata": {"annotations": {"canarium.dev/abort": value}}}


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"csrf": "forged"}, {}),
        ({"csrf": ""}, {}),
        ({}, {"origin": "https://evil.example"}),
        ({}, {"origin": f"http://{HOST}.evil.example"}),
        ({}, {"origin": "null"}),
        ({}, {"origin": ""}),
        ({}, {"sec_fetch_site": "cross-site"}),
        ({}, {"sec_fetch_site": "same-site"}),
        ({}, {"content_type": "text/plain"}),
        ({}, {"content_type": "application/json"}),
        ({"token": "no"}, {}),
    ],
)
async def test_forged_commands_are_refused(fields: Any, headers: dict[str, str]) -> None:
    api = StandInApi()
    async with browsing(api, actions=True) as browser:
        sent = {**await form_of(browser), **fields}
        answer = await browser.post(_COMMAND, sent, **headers)
    assert answer.status == 403
    assert "Nothing was changed" in answer.text
    assert api.writes == []


async def test_csrf_token_of_another_person_is_refused() -> None:
    api = StandInApi()
    api.accepted.add("another")
    async with browsing(api, actions=True) as browser:
        fields = await form_of(browser)
        browser.cookies.clear()
        await browser.post("/login", {"token": "another", "next": "/"})
        assert (await browser.post(_COMMAND, fields)).status == 403
    assert api.writes == []


async def test_command_for_an_older_revision_is_refused() -> None:
    api = StandInApi()
    async with browsing(api, actions=True) as browser:
        fields = await form_of(browser)
        api.model["status"]["candidate"]["revision"] = "newer123"
        answer = await browser.post(_COMMAND, fields)
    assert answer.status == 409
    assert "4nb6hnp6" in answer.text
    assert api.writes == []


@pytest.mark.parametrize("actions", [True, False])
async def test_buttons_and_writes_need_the_right_and_the_setting(actions: bool) -> None:
    api = StandInApi()
    api.may_patch = not actions
    async with browsing(api, actions=actions) as browser:
        page = await browser.get("/models/demo/fraud")
        assert "/commands/" not in page.text
        assert (await browser.get(_COMMAND)).status == 403
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert csrf
        fields = {"csrf": csrf[1], "revision": "4nb6hnp6", "token": "0123456789abcdef"}
        assert (await browser.post(_COMMAND, fields)).status == 403
    assert api.writes == []


async def test_unknown_host_gets_nothing() -> None:
    api = StandInApi()
    async with browsing(api, hosts=frozenset({HOST})) as browser:
        assert (await browser.get("/")).status == 200
        calls = len(api.calls)
        for host in ("rebound.example", f"{HOST}.evil.example", "", "[::1", "127.0.0.1"):
            browser.host = host
            assert (await browser.get("/")).status == 421, host
        assert len(api.calls) == calls


async def test_local_pages_need_the_key_of_the_printed_address() -> None:
    api, access = StandInApi(), LocalAccess()
    api.accepted = {""}
    async with browsing(api, access, login=False, hosts=frozenset({HOST})) as browser:
        assert (await browser.get("/")).status == 401
        assert (await browser.get("/?key=wrong")).status == 401
        assert api.calls == []
        answer = await browser.get(f"/?key={access.key}")
        assert (answer.status, answer.headers["location"]) == (303, "/")
        assert access.key not in answer.headers["set-cookie"]
        assert (await browser.get("/models/demo/fraud")).status == 200


async def test_token_of_a_proxy_is_used_for_this_request_only() -> None:
    api = StandInApi()
    async with browsing(api, HeaderAccess(), login=False) as browser:
        assert (await browser.get("/", authorization=f"Bearer {TOKEN}")).status == 200
        answer = await browser.get("/")
        assert answer.status == 401
        assert "fraud" not in answer.text


@given(st.text())
def test_login_returns_to_this_site_only(target: str) -> None:
    found = inside(target)
    assert found == target or found == "/"
    assert found.startswith("/")
    assert not found.startswith(("//", "/\\"))


@pytest.mark.parametrize("target", ["//evil", "/\\evil", "https://evil", "\\\\evil", "/a\nb", ""])
def test_login_does_not_return_to_another_site(target: str) -> None:
    assert inside(target) == "/"


def test_sessions_end_and_are_bounded() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    first = sessions.begin("a")
    for _ in range(LIMIT):
        last = sessions.begin("b")
    assert len(sessions) == LIMIT
    assert sessions.secret(first) is None
    assert sessions.secret(last) == "b"
    now[0] = LIFE + 1
    assert sessions.secret(last) is None


async def test_error_of_the_dashboard_has_the_security_headers() -> None:
    def fails(_: Request) -> Response:
        raise ValueError("unexpected")

    async with browsing(raises=False) as browser:
        browser.app.router.routes.insert(0, Route("/broken", fails))
        answer = await browser.get("/broken")
        assert answer.status == 500
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert (await browser.get("/broken", host="elsewhere.example")).status == 500
    async with browsing(raises=False, login=False, hosts=frozenset({HOST})) as browser:
        assert (await browser.get("/login", host="elsewhere.example")).status == 421


async def test_origin_that_is_not_a_url_is_refused() -> None:
    api = StandInApi()
    async with browsing(api, actions=True) as browser:
        fields = await form_of(browser)
        assert (await browser.post(_COMMAND, fields, origin="http://[")).status == 403
    assert api.writes == []


async def test_session_cookie_that_is_not_ascii_is_not_accepted() -> None:
    access = LocalAccess()
    async with browsing(StandInApi(), access, login=False) as browser:
        browser.cookies[access.cookie] = "\xe9"
        assert (await browser.get("/")).status == 401
