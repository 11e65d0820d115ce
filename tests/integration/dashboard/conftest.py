"""The dashboard on the API server of tests/integration, opened in the Chromium of the machine."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from integration.dashboard.people import served
from sandbox.controlplane import ControlPlane


@pytest.fixture(scope="module")
def address(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard with a login form and with actions."""
    with served(plane, tmp_path_factory.mktemp("dashboard"), "--actions") as found:
        yield found


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without its own sandbox: the tests run as root."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.fail("Chromium is missing. Run: dev/install-packages", pytrace=False)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield started
        await started.close()


@pytest_asyncio.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page; what the policy refuses, or an error of a script, fails the test."""
    context = await browser.new_context(viewport={"width": 1100, "height": 800})
    opened = await context.new_page()
    opened.set_default_timeout(20_000)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "console",
        lambda message: errors.append(message.text) if "Content Security" in message.text else None,
    )
    yield opened
    await context.close()
    assert errors == []
