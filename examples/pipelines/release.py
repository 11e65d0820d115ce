"""Releases a model from a pipeline: registers it in MLflow, sets the alias, and finds its revision.

    python release.py register model > version
    python release.py alias "$(cat version)"
    python release.py revision "$(cat version)" > revision

Environment: MODEL, the registered model; ALIAS, which the ModelDeployment follows; DEPLOYMENT and
NAMESPACE, the ModelDeployment; MLFLOW_TRACKING_URI and its credentials. `register` and `alias` need
mlflow-skinny; `revision` needs kubectl (KUBECTL names another one) and no MLflow.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

#: Seconds until the operator has to know the new version: longer than `spec.model.follow.interval`.
PATIENCE = float(os.environ.get("PATIENCE", "600"))
#: As in `kubectl modeldeploy`.
TIMEOUT, UNREACHABLE = 3, 5


def register(folder: str) -> str:
    """Stores a folder as the artifact of a run, and registers it; returns the new version."""
    # `revision` runs in images without MLflow.
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client, name = MlflowClient(), os.environ["MODEL"]
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    existing = client.get_experiment_by_name(name)
    experiment = existing.experiment_id if existing else client.create_experiment(name)
    commit = os.environ.get("GIT_COMMIT")
    run = client.create_run(experiment, tags={"mlflow.source.git.commit": commit} if commit else {})
    client.log_artifacts(run.info.run_id, folder, "model")
    client.set_terminated(run.info.run_id)
    source = f"{run.info.artifact_uri}/model"
    return str(client.create_model_version(name, source, run.info.run_id).version)


def alias(version: str) -> None:
    """Sets the alias to a version."""
    from mlflow import MlflowClient

    MlflowClient().set_registered_model_alias(os.environ["MODEL"], os.environ["ALIAS"], version)


def revision(version: str) -> str:
    """Waits until the ModelDeployment asks for a version; returns the name of its revision.

    Without this wait, a pipeline would see the previous version serve, and end as if it had
    released its own. Exits with code 3 after PATIENCE seconds, and with code 5 if kubectl fails
    until then.
    """
    uri = f"mlflow://{os.environ['MODEL']}/{version}"
    announce()
    end = time.monotonic() + PATIENCE
    while True:
        try:
            status = json.loads(kubectl("get", "--output=json")).get("status", {})
        except subprocess.CalledProcessError:
            # The alias has moved already, so one request that fails does not end the release.
            if time.monotonic() > end:
                raise
            time.sleep(1)
            continue
        name, resolved = target(status)
        if unquote(resolved) == uri:
            return name
        if time.monotonic() > end:
            print(
                f"timeout: waits for {uri}, but the operator has {resolved or 'none'}",
                file=sys.stderr,
            )
            print(source(status), file=sys.stderr)
            raise SystemExit(TIMEOUT)
        time.sleep(1)


def announce() -> None:
    """Makes the operator ask the registry now; without the right, it asks within the interval."""
    try:
        kubectl("annotate", "--overwrite", f"canarium.dev/resolve={time.time_ns()}")
    except subprocess.CalledProcessError as error:
        print(f"the operator asks at its next interval: {error.stderr.strip()}", file=sys.stderr)


def target(status: Mapping[str, Any]) -> tuple[str, str]:
    """Returns the revision that the model is to serve, and the version that it stands for.

    A failed one is reported until the alias moves; its version is in the history.
    """
    parts = (status.get(name) for name in ("candidate", "failure", "stable"))
    part = next((one for one in parts if one), {})
    name = part.get("revision", "")
    remembered = [one for one in status.get("history", ()) if one["revision"] == name]
    return name, next((one["resolved"] for one in (part, *remembered) if one.get("resolved")), "")


def source(status: Mapping[str, Any]) -> str:
    """Returns what the operator reports about the alias."""
    listed = (one for one in status.get("conditions", ()) if one["type"] == "SourceResolved")
    return next((f"{one['reason']}: {one.get('message', '')}" for one in listed), "no report")


def kubectl(verb: str, *words: str) -> str:
    """Runs a verb of kubectl for the ModelDeployment; raises subprocess.CalledProcessError."""
    program = os.environ.get("KUBECTL", "kubectl")
    where = (f"--namespace={os.environ['NAMESPACE']}", "modeldeployment", os.environ["DEPLOYMENT"])
    command = [program, verb, *where, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main(arguments: list[str]) -> None:
    """Carries out one step, and prints its result."""
    steps = {"register": register, "alias": alias, "revision": revision}
    if len(arguments) != 2 or arguments[0] not in steps or not arguments[1]:
        raise SystemExit("usage: release.py register FOLDER | alias VERSION | revision VERSION")
    try:
        # MLflow prints links to stdout, which is for the result.
        with contextlib.redirect_stdout(sys.stderr):
            result = steps[arguments[0]](arguments[1])
    except subprocess.CalledProcessError as error:
        print(f"kubectl: {error.stderr.strip()}", file=sys.stderr)
        raise SystemExit(UNREACHABLE) from None
    if result:
        print(result)


if __name__ == "__main__":
    main(sys.argv[1:])
