"""Keys that are valid once, and the page that leads a browser to the dashboard with one."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from canarium_dashboard.access.local import ONCE_SECONDS, LocalAccess
from canarium_dashboard.opening import write_page
from dashboard.standin import StandInApi, browsing


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_key_for_one_use_admits_one_request() -> None:
    access = LocalAccess()
    key = access.key_for_one_use()
    assert key != access.key
    async with browsing(StandInApi(), access, login=False) as browser:
        answer = await browser.get(f"/?key={key}")
        assert (answer.status, answer.headers["location"]) == (303, "/")
        assert access.cookie in browser.cookies
        browser.cookies.clear()
        again = await browser.get(f"/?key={key}")
        assert again.status == 401
        assert browser.cookies == {}


@pytest.mark.parametrize(("passed", "status"), [(ONCE_SECONDS, 303), (ONCE_SECONDS + 0.1, 401)])
async def test_key_for_one_use_expires(passed: float, status: int) -> None:
    clock = Clock()
    access = LocalAccess(clock=clock)
    key = access.key_for_one_use()
    clock.now += passed
    async with browsing(StandInApi(), access, login=False) as browser:
        assert (await browser.get(f"/?key={key}")).status == status


def test_page_is_readable_by_its_owner_only_and_leads_to_the_address(tmp_path: Path) -> None:
    address = "http://127.0.0.1:8080/?key=a&b"
    path = write_page(tmp_path, address)
    assert path.stat().st_mode & 0o777 == 0o600
    leads = re.search(r'content="0; url=([^"]+)"', path.read_text())
    assert leads
    assert html.unescape(leads[1]) == address


def test_page_is_not_written_into_a_file_of_another_user(tmp_path: Path) -> None:
    (tmp_path / "dashboard.html").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_page(tmp_path, "http://127.0.0.1:8080/?key=a")
