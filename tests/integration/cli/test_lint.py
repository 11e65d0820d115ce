"""`lint` and a real API server agree on what is refused at apply."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from canarium_cli.lint.linter import lint
from canarium_cli.manifests.finding import Level
from canarium_cli.manifests.reading import read
from cli.lint.cases import BROKEN, MODEL, REFUSED, RUNTIME
from sandbox import clients
from sandbox.controlplane import ControlPlane

#: Rules that are those of the CRD; others are the operator's.
OF_THE_CRD = {"schema", "cel", "list-key"}


def test_api_server_refuses_what_lint_calls_invalid(plane: ControlPlane, tmp_path: Path) -> None:
    expected: dict[str, bool] = {}
    bodies = [MODEL, RUNTIME, *(case.body() for case in (*REFUSED, *BROKEN))]
    for number, body in enumerate(bodies):
        name = body["metadata"]["name"]
        if name in ("fraud", "own"):
            name = f"case-{number}"
            body = {**body, "metadata": {"name": name}}
        file = tmp_path / f"{number:02}.json"
        file.write_text(json.dumps(body))
        documents, unreadable = read([str(file)])
        errors = [f for f in (*unreadable, *lint(documents)) if f.level is Level.ERROR]
        expected[name] = not any(f.rule in OF_THE_CRD for f in errors)
    assert [expected["case-0"], expected["case-1"]] == [True, True]
    # All at once: kubectl continues after an object that is rejected.
    command = [str(clients.find("kubectl")), "--kubeconfig", str(plane.kubeconfig)]
    command += ["apply", "--dry-run=server", "-f", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    accepted = {
        line.partition("/")[2].split()[0]
        for line in done.stdout.splitlines()
        if line.endswith("created (server dry run)")
    }
    assert {name: name in accepted for name in expected} == expected, done.stderr
    assert sum(expected.values()) == 2 + len(BROKEN)
