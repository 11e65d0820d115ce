"""The krew manifest of a release: generated from the archives, and linted by krew's own rules.

`python -m release.krew v1.2.3 dist` writes dist/modeldeploy.yaml for the archives in `dist`, and
fails if krew would refuse it. The rules are those of krew's validation
(https://github.com/kubernetes-sigs/krew/blob/master/internal/index/validation/validate.go) and of
its index (https://krew.sigs.k8s.io/docs/developer-guide/develop/best-practices/).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from release.singlefile import COMPLETION, PROGRAM, checksum
from release.version import Unusable, of_tag

NAME = "modeldeploy"
HOME = "https://github.com/canarium/canarium"
_VERSION = re.compile(r"v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")
_NAME = re.compile(r"[\w-]+")
_PLATFORMS = {"linux", "darwin", "windows"}, {"amd64", "arm64", "arm", "386"}
_DESCRIPTION = """\
Shows the rollouts of model versions that the Canarium operator runs, explains
why one waits or failed, and takes part in them: promote, abort, undo, retry.
The cluster needs the operator: see the homepage.
"""


def manifest(version: str, archives: list[Path], home: str = HOME) -> dict[str, Any]:
    """Returns the manifest of a release, with a platform for each archive."""
    return {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": NAME},
        "spec": {
            "version": f"v{version}",
            "homepage": home,
            "shortDescription": "Roll out model versions and follow them",
            "description": _DESCRIPTION,
            "platforms": [_platform(version, path, home) for path in sorted(archives)],
        },
    }


def _platform(version: str, path: Path, home: str) -> dict[str, Any]:
    system, _, machine = (
        path.name.removesuffix(".tar.gz").removeprefix(f"{PROGRAM}-").partition("-")
    )
    return {
        "selector": {"matchLabels": {"os": system, "arch": machine}},
        "uri": f"{home}/releases/download/v{version}/{path.name}",
        "sha256": checksum(path),
        "files": [{"from": name, "to": "."} for name in (PROGRAM, COMPLETION, "LICENSE")],
        "bin": PROGRAM,
    }


def lint(plugin: dict[str, Any]) -> list[str]:
    """Returns what krew, or its index, would refuse; nothing for a sound manifest."""
    return list(_faults(plugin))


def _faults(plugin: dict[str, Any]) -> Iterator[str]:
    if plugin.get("apiVersion") != "krew.googlecontainertools.github.com/v1alpha2":
        yield f"apiVersion is {plugin.get('apiVersion')!r}"
    if plugin.get("kind") != "Plugin":
        yield f"kind is {plugin.get('kind')!r}"
    name, spec = plugin.get("metadata", {}).get("name", ""), plugin.get("spec", {})
    if not _NAME.fullmatch(name) or name.startswith("kubectl-"):
        yield f"metadata.name {name!r} is not a plugin's name without kubectl-"
    if not _VERSION.fullmatch(str(spec.get("version", ""))):
        yield f"spec.version {spec.get('version')!r} is not a semantic version that begins with v"
    short = spec.get("shortDescription", "")
    if not short or "\n" in short or len(short) > 50 or short.endswith("."):
        yield "spec.shortDescription is not one line of at most 50 characters without a period"
    if any(len(line) > 80 for line in spec.get("description", "").splitlines()):
        yield "spec.description has lines of more than 80 characters"
    if not str(spec.get("homepage", "")).startswith("https://"):
        yield "spec.homepage is not an https address"
    platforms = spec.get("platforms") or []
    if not platforms:
        yield "spec.platforms is empty"
    selected = [str(one.get("selector")) for one in platforms]
    if len(selected) != len(set(selected)):
        yield "two platforms have the same selector"
    for place, one in enumerate(platforms):
        yield from (f"spec.platforms[{place}]: {fault}" for fault in _platform_faults(one))


def _platform_faults(one: dict[str, Any]) -> Iterator[str]:
    labels = one.get("selector", {}).get("matchLabels", {})
    systems, machines = _PLATFORMS
    if labels.get("os") not in systems or labels.get("arch") not in machines:
        yield f"no platform of krew: {labels}"
    uri = str(one.get("uri", ""))
    if not uri.startswith("https://") or not uri.endswith((".tar.gz", ".zip")):
        yield f"uri {uri!r} is not an https address of a .tar.gz or .zip"
    if not re.fullmatch(r"[0-9a-f]{64}", str(one.get("sha256", ""))):
        yield "sha256 is not a checksum in lower case"
    files = one.get("files") or []
    if not files:
        yield "files is empty"
    for file in files:
        paths = [str(file.get("from", "")), str(file.get("to", ""))]
        if not all(paths) or any(".." in path or path.startswith("/") for path in paths):
            yield f"files: {file} leaves the folder of the plugin"
    program = str(one.get("bin", ""))
    if not program or ".." in program or program.startswith("/"):
        yield f"bin {program!r} is not a path below the folder of the plugin"
    elif program not in {str(file.get("from")) for file in files}:
        yield f"bin {program!r} is not among files"
    if "LICENSE" not in {str(file.get("from")) for file in files}:
        yield "files has no LICENSE, which krew's index asks for"


def main(arguments: list[str]) -> int:
    """Writes the manifest of the archives in a folder; returns the exit code."""
    if len(arguments) != 2:
        print(__doc__)
        return 2
    folder = Path(arguments[1])
    try:
        plugin = manifest(of_tag(arguments[0]), list(folder.glob(f"{PROGRAM}-*.tar.gz")))
    except Unusable as error:
        print(error)
        return 2
    faults = lint(plugin)
    for fault in faults:
        print(fault)
    if not faults:
        (folder / f"{NAME}.yaml").write_text(yaml.safe_dump(plugin, sort_keys=False))
        print(f"wrote {folder / f'{NAME}.yaml'}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
