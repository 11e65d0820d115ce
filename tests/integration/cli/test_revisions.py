"""`history`, `diff`, `record` and `rollback` beside revisions on a real API server."""

from __future__ import annotations

import json

from integration.cli.program import Program
from integration.conftest import Cluster

_BAD = {"metadata": {"annotations": {"sandbox/behaviour": "exits"}}}


async def test_history_diff_and_record_of_a_rolled_back_version(
    cluster: Cluster, program: Program
) -> None:
    cluster.apply("1")
    first = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    cluster.apply("2", podTemplate=_BAD)
    failure = (await cluster.phase("RolledBack"))["failure"]
    failed = failure["revision"]

    listed = (await program.run("history", "fraud", "-o", "json")).json
    assert [(x["number"], x["revision"], x["role"]) for x in listed] == [
        (2, failed, "Failed"),
        (1, first, "Stable"),
    ]
    assert (listed[0]["outcome"], listed[0]["reason"]) == ("RolledBack", "ServerExited")
    assert (listed[0]["failedWeight"], listed[0]["failedStep"]) == (
        failure["weight"],
        failure["step"],
    )
    assert not {"failedWeight", "failedStep"} & listed[1].keys()
    assert listed[1]["served"][0].keys() == {"fromTime", "promotedTime"}
    text = await program.run("history", "fraud", "--limit", "1")
    assert text.code == 0, text.err
    assert [x.split()[:4] for x in text.out.splitlines()[1:]] == [["2", failed, "2", "Failed"]]

    usual = (await program.run("diff", "fraud", "-o", "json")).json
    assert (usual["before"], usual["after"]) == (first, failed)
    fields = {x["field"]: (x.get("before"), x.get("after")) for x in usual["differences"]}
    assert fields["model.version"] == ("1", "2")
    assert fields["podTemplate.metadata.annotations.sandbox/behaviour"] == (None, "exits")
    turned = await program.run("diff", "fraud", failed, "1")
    assert turned.out.startswith(f"--- {failed} version 2 (Failed)\n+++ {first} version 1 (Stable)")
    absent = await program.run("diff", "fraud", "99")
    assert absent.code == 4
    assert "fraud has no revision 99" in absent.err

    statements = (await program.run("record", "fraud")).out.splitlines()
    assert [json.loads(x)["predicate"]["revision"] for x in statements] == [failed, first]
    one = await program.run("record", "fraud", "--revision", first)
    assert one.json["predicate"]["served"]
    assert (await program.run("record", "fraud", "--revision", "none")).code == 4
