"""What people see and do in a real browser, while the operator rolls out on a real API server."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from playwright.async_api import Page, expect

from integration.conftest import Cluster
from integration.dashboard.axe import violations
from integration.dashboard.people import person

#: Where the pictures of the guide are; tests write them there if CANARIUM_SCREENSHOTS is set.
IMAGES = Path(__file__).parents[3] / "docs" / "images"
_MANUAL = {
    "steps": [{"weight": 10, "pause": "Manual"}, {"weight": 50, "pause": "1s"}],
    "bakeTime": "1s",
}


async def enter(page: Page, address: str, token: str, path: str = "/") -> None:
    """Logs in, on the way to a page."""
    await page.goto(f"{address}{path}")
    await page.get_by_label("Bearer token").fill(token)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(f"{address}{path}")


async def picture(page: Page, folder: Path, name: str) -> None:
    """Takes a picture of what is visible, for the guide or into the folder of the test."""
    into = IMAGES if os.environ.get("CANARIUM_SCREENSHOTS") else folder
    await page.screenshot(path=into / name)
    assert (into / name).stat().st_size > 5_000


async def test_canary_is_followed_live_and_promoted_by_its_button(
    cluster: Cluster, address: str, page: Page, tmp_path: Path
) -> None:
    token = person(cluster.plane, cluster.namespace, "editor", reads=True, writes=True)
    cluster.apply("1", rollout=_MANUAL)
    await cluster.phase("Ready", "1")
    await enter(page, address, token)
    await expect(page.get_by_text("You may not list the whole cluster")).to_be_visible()
    await page.get_by_role("link", name="fraud").click()
    await expect(page.locator("h1 .badge")).to_have_text(re.compile("Ready"))

    # From here on the page is not touched: it follows by itself.
    cluster.apply("2", rollout=_MANUAL)
    await expect(page.locator(".steps .current strong")).to_have_text("10 %")
    await expect(page.get_by_label("Wanted weight")).to_have_attribute("value", "10")
    await expect(page.get_by_role("heading", name="Manual")).to_be_visible()
    await expect(page.locator("svg[aria-label^='Who served when']")).to_be_visible()
    assert await violations(page) == []

    await page.get_by_role("link", name="Promote: end the current pause").click()
    status = (await cluster.model())["status"]
    revision = status["candidate"]["revision"]
    line = await page.locator("pre").inner_text()
    assert f"canarium.dev/promote={revision}/" in line
    assert await violations(page) == []
    await page.get_by_role("button", name=f"Yes, promote revision {revision}").click()
    await expect(page.locator("#command")).to_contain_text("Accepted")
    await expect(page.locator("dl.facts dd").first).to_have_text("2")
    await cluster.phase("Ready", "2")
    await expect(page.locator("h1 .badge")).to_have_text(re.compile("Ready"))
    await expect(page.locator("svg[aria-label^='Weight of the candidate']")).to_be_visible()
    await page.evaluate("scrollTo(0, 0)")
    await picture(page, tmp_path, "dashboard-model.png")


async def test_rollback_is_shown_with_its_evidence_on_a_small_screen(
    cluster: Cluster, address: str, page: Page, tmp_path: Path
) -> None:
    token = person(cluster.plane, cluster.namespace, "viewer", reads=True, writes=False)
    cluster.apply("1", rollout=_MANUAL)
    await cluster.phase("Ready", "1")
    await enter(page, address, token, f"/models/{cluster.namespace}/fraud")
    cluster.apply("2", rollout=_MANUAL)
    status = await cluster.until(lambda s: s.get("candidate", {}).get("effectiveWeight", 0) > 0)
    await cluster.kubelet.crash(cluster.namespace, status["candidate"]["revision"])

    await expect(page.locator("h1 .badge")).to_have_text(re.compile("RolledBack"))
    why = page.locator(".explanation").first
    await expect(why).to_contain_text("ServerExited")
    await expect(why).to_contain_text("Evidence:")
    await expect(page.locator("#marks")).to_contain_text("RolledBack")
    # A person who may only read is offered nothing to do.
    assert await page.get_by_role("heading", name="Actions").count() == 0
    assert await violations(page) == []
    await picture(page, tmp_path, "dashboard-rollback.png")

    await page.set_viewport_size({"width": 400, "height": 800})
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= 400, "the page scrolls sideways"
    assert await violations(page) == []
    await page.emulate_media(color_scheme="dark")
    assert await violations(page) == []
    for path in ("/", "/runtimes"):
        await page.goto(f"{address}{path}")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 400
        assert await violations(page) == []
    await page.goto(f"{address}/")
    await page.set_viewport_size({"width": 1100, "height": 500})
    await page.emulate_media(color_scheme="light")
    await picture(page, tmp_path, "dashboard-fleet.png")


async def test_token_that_was_revoked_leads_to_the_login_and_back(
    cluster: Cluster, address: str, page: Page
) -> None:
    leaver, other = (
        person(cluster.plane, cluster.namespace, name, reads=True, writes=False)
        for name in ("leaver", "other")
    )
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    model = f"/models/{cluster.namespace}/fraud"
    await enter(page, address, leaver, model)
    cluster.plane.kubectl("-n", cluster.namespace, "delete", "serviceaccount", "leaver")
    banner = page.locator("#connection")
    # The API server remembers a valid token for ten seconds; each change lets the page ask again.
    for number in range(60):
        note = f"x={number}"
        words = ("annotate", "modeldeployment", "fraud", note, "--overwrite")
        cluster.plane.kubectl("-n", cluster.namespace, *words)
        if "Your login has expired" in await banner.inner_text():
            break
        await asyncio.sleep(0.5)
    await expect(banner).to_contain_text("this page is no longer updated")
    # What was read stays readable, and the link leads to the login and back here.
    await expect(page.locator("h1")).to_contain_text("fraud")
    assert await violations(page) == []
    await banner.get_by_role("link", name="Log in").click()
    await expect(page.get_by_text("your token has expired or was revoked")).to_be_visible()
    for token, shown in ((leaver, "does not accept this token"), (other, "Serving version")):
        await page.get_by_label("Bearer token").fill(token)
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_text(shown)).to_be_visible()
    assert page.url == f"{address}{model}"


async def test_fleet_is_used_with_the_keyboard_alone(
    cluster: Cluster, address: str, page: Page
) -> None:
    token = person(cluster.plane, cluster.namespace, "keys", reads=True, writes=False)
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    await enter(page, address, token)
    await page.keyboard.press("Tab")
    await expect(page.locator(":focus")).to_have_text("Skip to content")
    await page.keyboard.press("Enter")
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await page.locator(":focus").get_attribute("href") == (
            f"/models/{cluster.namespace}/fraud"
        ):
            break
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{address}/models/{cluster.namespace}/fraud")
    await expect(page.locator("h1")).to_contain_text("fraud")


async def test_pages_are_complete_without_javascript(
    cluster: Cluster, address: str, page: Page
) -> None:
    token = person(cluster.plane, cluster.namespace, "plain", reads=True, writes=True)
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    browser = page.context.browser
    assert browser is not None
    context = await browser.new_context(java_script_enabled=False)
    plain = await context.new_page()
    await enter(plain, address, token, f"/models/{cluster.namespace}/fraud")
    await expect(plain.locator("h1")).to_contain_text("fraud")
    await expect(plain.locator("svg[aria-label^='Who served when']")).to_be_visible()
    assert await plain.locator("noscript").count() == 1
    await context.close()
