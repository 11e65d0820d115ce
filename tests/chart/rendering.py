"""What helm makes of the chart: the objects, or the refusal."""

from __future__ import annotations

import pickle
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sandbox import clients

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "canarium"


def helm(*words: str) -> subprocess.CompletedProcess[str]:
    """Runs helm; the caller judges its exit code."""
    command = [str(clients.find("helm")), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


#: libyaml's where it is there: the CRDs take half a second in Python alone.
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> list[Any]:
    """The objects in a YAML text; yours to change."""
    objects: list[Any] = pickle.loads(_pickled(text))
    return objects


@cache
def _pickled(text: str) -> bytes:
    return pickle.dumps([body for body in yaml.load_all(text, Loader) if body])


@cache
def _rendered(sets: tuple[str, ...], kubernetes: str, release: str) -> str:
    words = [word for one in sets for word in ("--set-json", one)]
    done = helm(
        "template", release, str(CHART), "-n", "ml", "--kube-version", kubernetes, *words
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def render(*sets: str, kubernetes: str = "1.36.0", release: str = "canarium") -> list[Any]:
    """The objects that the chart gives with `sets` (as for `--set-json`); yours to change."""
    return load(_rendered(sets, kubernetes, release))


def rendered_text(*sets: str) -> str:
    """What helm prints for `sets`."""
    return _rendered(sets, "1.36.0", "canarium")


def refusal(*sets: str) -> str:
    """Error of helm for `sets`; the test fails when it renders."""
    words = [word for one in sets for word in ("--set-json", one)]
    done = helm("template", "canarium", str(CHART), *words)
    assert done.returncode != 0, done.stdout[:500]
    return done.stderr
