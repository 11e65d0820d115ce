"""The table of gates, and decisions about them in the name of a person (R27)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dashboard.standin import Browser, StandInApi, browsing

rule = pytest.mark.rule
MODEL = "/models/demo/fraud"
APPROVE, REJECT = f"{MODEL}/gates/risk/approve", f"{MODEL}/gates/risk/reject"
USER = "system:serviceaccount:demo:ann"


def gate(name: str, **fields: Any) -> dict[str, Any]:
    started = {"startTime": "2026-01-01T00:00:00Z"}
    waiting = {"kind": "Approval", "before": "Promotion", "state": "Waiting", **started}
    return {"name": name, **waiting, **fields}


def waiting(*gates: dict[str, Any]) -> StandInApi:
    api = StandInApi()
    api.model["status"]["gates"] = list(gates or (gate("risk"),))
    return api


async def form_of(browser: Browser, path: str) -> dict[str, str]:
    answer = await browser.get(path)
    assert answer.status == 200, answer.text
    return dict(re.findall(r'name="(csrf|revision|token)" value="([^"]*)"', answer.text[-2000:]))


@rule("R27")
async def test_gates_are_listed_with_who_decided_and_why() -> None:
    api = waiting(
        gate(
            "legal", state="Passed", by="alice", message="<b>fine</b>", before="Weight", weight=50
        ),
        gate("risk", kind="Web", message="https://risk.example: status 500"),
        gate("eval", kind="Job", state="Passed", by="Job/fraud-1", results='{"auc":0.9}'),
    )
    async with browsing(api, actions=True) as browser:
        text = (await browser.get(MODEL)).text
    assert "alice: &lt;b&gt;fine&lt;/b&gt;" in text
    assert "Weight 50" in text
    assert "https://risk.example: status 500" in text
    assert "Job/fraud-1 <code>{&#34;auc&#34;:0.9}</code>" in text
    assert "/gates/" not in text, "no person decides about a web gate, or again about another one"


@rule("R27")
async def test_page_without_gates_has_no_table() -> None:
    async with browsing(actions=True) as browser:
        assert "gates-title" not in (await browser.get(MODEL)).text


@rule("R27")
@pytest.mark.parametrize(("command", "path"), [("approve", APPROVE), ("reject", REJECT)])
async def test_decision_is_written_in_the_name_of_the_person(command: str, path: str) -> None:
    api = waiting()
    async with browsing(api, actions=True) as browser:
        page = (await browser.get(MODEL)).text
        assert f'href="{path}"' in page
        fields = await form_of(browser, path)
        answer = await browser.post(path, {**fields, "comment": " bias report read "})
        assert answer.status == 303, answer.text
        assert answer.headers["location"].startswith(f"{MODEL}?sent=")
        page = (await browser.get(answer.headers["location"].removesuffix("#command"))).text
        assert f"<strong>{command}</strong> 4nb6hnp6: Sent, waiting for the operator" in page
    ((_, body),) = api.writes
    assert body["metadata"]["annotations"] == {
        f"canarium.dev/{command}": f"4nb6hnp6/risk:{fields['token']}",
        "canarium.dev/approval-by": USER,
        "canarium.dev/approval-comment": "bias report read",
    }


@rule("R27")
async def test_confirmation_shows_the_kubectl_line_and_what_happens_to_the_traffic() -> None:
    async with browsing(waiting(), actions=True) as browser:
        text = (await browser.get(REJECT)).text
    assert re.search(r"canarium.dev/reject=4nb6hnp6/risk:[0-9a-f]{16} --overwrite", text)
    assert f"canarium.dev/approval-by={USER} canarium.dev/approval-comment-" in text
    assert "% of traffic of" in text


@rule("R27")
@pytest.mark.parametrize(
    ("may_patch", "may_approve", "actions", "offered"),
    [
        (True, "", True, True),
        (True, "risk", True, True),
        (True, "board", True, False),
        (True, None, True, False),
        (False, "", True, False),
        (True, "", False, False),
    ],
    ids=["all-gates", "this-gate", "another-gate", "no-approve", "no-patch", "no-actions"],
)
async def test_buttons_and_writes_need_the_verb_approve(
    may_patch: bool, may_approve: str | None, actions: bool, offered: bool
) -> None:
    api = waiting()
    api.may_patch, api.may_approve = may_patch, may_approve
    async with browsing(api, actions=actions) as browser:
        page = (await browser.get(MODEL)).text
        assert ("/gates/risk/" in page) is offered
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)
        assert csrf
        fields = {"csrf": csrf[1], "revision": "4nb6hnp6", "token": "0123456789abcdef"}
        answer = await browser.post(APPROVE, fields)
        assert answer.status == (303 if offered else 403), answer.text
    assert bool(api.writes) is offered


@rule("R27")
@pytest.mark.parametrize(
    ("fields", "headers", "status"),
    [
        ({"csrf": "forged"}, {}, 403),
        ({}, {"origin": "https://evil.example"}, 403),
        ({}, {"sec_fetch_site": "cross-site"}, 403),
        ({"token": "no"}, {}, 403),
        ({"revision": "older123"}, {}, 409),
        ({"comment": "x" * 1001}, {}, 422),
    ],
    ids=["csrf", "origin", "site", "token", "revision", "comment"],
)
async def test_forged_and_outdated_decisions_change_nothing(
    fields: dict[str, str], headers: dict[str, str], status: int
) -> None:
    api = waiting()
    async with browsing(api, actions=True) as browser:
        sent = {**await form_of(browser, APPROVE), **fields}
        assert (await browser.post(APPROVE, sent, **headers)).status == status
    assert api.writes == []


@rule("R27")
@pytest.mark.parametrize("listed", [[], [gate("risk", state="Passed")], [gate("risk", kind="Web")]])
async def test_gate_that_does_not_wait_for_a_person_is_not_decided(listed: list[Any]) -> None:
    api = waiting()
    api.model["status"]["gates"] = listed
    async with browsing(api, actions=True) as browser:
        answer = await browser.get(APPROVE)
    assert answer.status == 409
    assert "No approval gate risk of the model fraud waits for a decision." in answer.text


RERUN = f"{MODEL}/gates/eval/rerun"


@rule("R27")
@pytest.mark.parametrize(
    ("may_patch", "actions", "offered"),
    [(True, True, True), (False, True, False), (True, False, False)],
)
async def test_job_of_a_gate_that_waits_is_run_again_by_who_may_patch(
    may_patch: bool, actions: bool, offered: bool
) -> None:
    api = waiting(gate("eval", kind="Job"))
    api.may_patch, api.may_approve = may_patch, None
    async with browsing(api, actions=actions) as browser:
        page = (await browser.get(MODEL)).text
        assert (f'href="{RERUN}"' in page) is offered
        if not offered:
            assert (await browser.get(RERUN)).status == 403
            return
        assert "Run the Job of gate eval again" in page
        text = (await browser.get(RERUN)).text
        assert "approval-by" not in text
        assert 'name="comment"' not in text
        fields = await form_of(browser, RERUN)
        assert (await browser.post(RERUN, fields)).status == 303
    ((_, body),) = api.writes
    assert body["metadata"]["annotations"] == {
        "canarium.dev/rerun": f"4nb6hnp6/eval:{fields['token']}"
    }


@rule("R27")
@pytest.mark.parametrize(
    ("listed", "command"),
    [
        ([gate("eval", kind="Job", state="Passed")], "rerun"),
        ([gate("eval")], "rerun"),
        ([gate("eval", kind="Web")], "rerun"),
        ([gate("eval", kind="Job")], "approve"),
    ],
)
async def test_gate_of_another_kind_or_with_a_result_is_not_run_again(
    listed: list[Any], command: str
) -> None:
    async with browsing(waiting(*listed), actions=True) as browser:
        answer = await browser.get(f"{MODEL}/gates/eval/{command}")
    assert answer.status == 409
    assert "eval of the model fraud waits for a decision." in answer.text
