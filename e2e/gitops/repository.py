"""A git repository on this machine that Argo CD reads: a commit is how everything is changed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from support.images import ROOT

EXAMPLES = ROOT / "examples" / "argocd"
PLACEHOLDER = "https://git.example.com/platform/deployments.git"
#: The model of the docs' commands.
MODEL = "fraud"
STEPS = [{"weight": 25, "pause": "2s"}, {"weight": 50, "pause": "2s"}]


class Repository:
    """The example applications, the chart of this checkout, and a folder of models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"file://{folder}"
        folder.mkdir(parents=True)
        self._git("init", "-q", "-b", "main")
        shutil.copytree(ROOT / "charts" / "canarium", folder / "charts" / "canarium")
        (folder / "apps").mkdir()
        for path in (EXAMPLES / "apps").glob("*.yaml"):
            (folder / "apps" / path.name).write_text(self.example(path))
        (folder / "models").mkdir()

    def example(self, path: Path) -> str:
        """An example with this repository in the place of the user's."""
        return path.read_text().replace(PLACEHOLDER, self.url)

    def model(self, version: str, **rollout: Any) -> str:
        """Commits a version of the model; the commit's hash."""
        body = {
            "apiVersion": "canarium.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": MODEL},
            "spec": {
                "model": {"version": version},
                "runtime": {
                    "image": f"canarium.dev/story:{version}",
                    "readiness": {"path": "/ready", "periodSeconds": 1},
                },
                "scaling": {"replicas": 2},
                "rollout": {"steps": STEPS, "bakeTime": "5s", **rollout},
            },
        }
        (self.folder / "models" / f"{MODEL}.yaml").write_text(json.dumps(body, indent=1))
        return self.commit(f"{MODEL} {version}")

    def chart(self, version: str, **values: Any) -> str:
        """Commits the chart under a new version number, with other values; the commit's hash."""
        chart = self.folder / "charts" / "canarium" / "Chart.yaml"
        metadata = yaml.safe_load(chart.read_text())
        chart.write_text(yaml.safe_dump({**metadata, "version": version}))
        path = self.folder / "apps" / "operator.yaml"
        application = yaml.safe_load(path.read_text())
        application["spec"]["source"]["helm"]["valuesObject"] = values
        path.write_text(yaml.safe_dump(application))
        return self.commit(f"chart {version}")

    def commit(self, message: str) -> str:
        self._git("add", "-A")
        who = ("-c", "user.name=e2e", "-c", "user.email=e2e@example.com")
        self._git(*who, "commit", "-q", "--allow-empty", "-m", message)
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *words: str) -> str:
        command = ["git", "-C", str(self.folder), *words]
        return subprocess.run(command, text=True, capture_output=True, check=True).stdout
