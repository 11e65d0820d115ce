"""Adds to a bill of materials what the lock of an image does not list.

`python -m release.bill dist/canarium.cdx.json [--kubectl] [--build-arg NAME=VALUE]…` adds the base
image, its distribution and its interpreter, and with `--kubectl` the program and the image that it
is copied from. Their versions and digests are those of the Dockerfile's arguments, or of
`--build-arg`. The packages of the distribution are in the image only: a scanner of the built image
lists them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from release.version import Unusable

ROOT = Path(__file__).resolve().parents[2]
_ARGUMENT = re.compile(r"(?m)^ARG (PYTHON|KUBECTL)=(\S+)$")
_REFERENCE = re.compile(r"(?P<name>\S+?):(?P<tag>[\w.-]+)(?:@(?P<digest>sha256:[0-9a-f]{64}))?")
#: Tags of the official image of Python.
_PYTHON = re.compile(r"(?P<version>\d+\.\d+\.\d+)-(?:slim-)?(?P<suite>[a-z]+)")


def bases(dockerfile: str, options: Sequence[str]) -> dict[str, str]:
    """Returns the images that the Dockerfile starts from, by the name of their argument.

    `options` are those of `docker build`, of which `--build-arg` counts. Raises Unusable for a
    Dockerfile without one of them.
    """
    images = dict(_ARGUMENT.findall(dockerfile))
    for before, word in zip(("", *options), options, strict=False):
        name, _, value = word.removeprefix("--build-arg=").partition("=")
        if (before == "--build-arg" or word.startswith("--build-arg=")) and name in images:
            images[name] = value
    if missing := {"PYTHON", "KUBECTL"} - set(images):
        raise Unusable(f"Dockerfile: no line `ARG {min(missing)}=…`")
    return images


def components(images: Mapping[str, str], *, kubectl: bool) -> Iterator[dict[str, Any]]:
    """Yields the components of an image beside its locked packages, in CycloneDX's words.

    Raises Unusable for a base image that is not `NAME:TAG` or `NAME:TAG@DIGEST`, or whose tag does
    not state the versions of Python and of Debian.
    """
    yield _image("PYTHON", images["PYTHON"])
    tag = _reference("PYTHON", images["PYTHON"])["tag"]
    stated = _PYTHON.fullmatch(tag)
    if stated is None:
        raise Unusable(
            f"PYTHON={images['PYTHON']}: the tag does not state Python and Debian, as"
            " python:3.13.16-slim-trixie does"
        )
    yield {**_component("application", "cpython", stated["version"]), "description": "CPython"}
    yield {
        "type": "operating-system", "bom-ref": "debian", "name": "debian",
        "version": stated["suite"],
    }  # fmt: skip
    if kubectl:
        yield _image("KUBECTL", images["KUBECTL"])
        version = _reference("KUBECTL", images["KUBECTL"])["tag"]
        yield _component("application", "kubectl", version.removeprefix("v"))


def complete(bill: dict[str, Any], added: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns a bill of materials with more components; each replaces one of its reference."""
    replaced = {one["bom-ref"] for one in added}
    others = [one for one in bill.get("components", []) if one["bom-ref"] not in replaced]
    return {**bill, "components": [*others, *added]}


def _reference(argument: str, image: str) -> re.Match[str]:
    match = _REFERENCE.fullmatch(image)
    if match is None:
        raise Unusable(f"{argument}={image}: not NAME:TAG or NAME:TAG@sha256:DIGEST")
    return match


def _image(argument: str, image: str) -> dict[str, Any]:
    match = _reference(argument, image)
    repository, tag, digest = match.group("name", "tag", "digest")
    short = repository.rpartition("/")[2]
    purl = f"pkg:oci/{short}{f'@{digest}' if digest else ''}?repository_url={repository}&tag={tag}"
    component = {
        "type": "container", "bom-ref": f"image:{repository}", "name": repository,
        "version": tag, "purl": purl.replace("sha256:", "sha256%3A"),
    }  # fmt: skip
    if digest:
        component["hashes"] = [{"alg": "SHA-256", "content": digest.removeprefix("sha256:")}]
    return component


def _component(kind: str, name: str, version: str) -> dict[str, Any]:
    purl = f"pkg:generic/{name}@{version}"
    return {"type": kind, "bom-ref": name, "name": name, "version": version, "purl": purl}


def main(arguments: list[str]) -> int:
    """Completes one bill of materials; returns the exit code."""
    if not arguments or arguments[0].startswith("-"):
        print(__doc__)
        return 2
    path, options = Path(arguments[0]), arguments[1:]
    try:
        images = bases((ROOT / "Dockerfile").read_text(), options)
        added = list(components(images, kubectl="--kubectl" in options))
    except Unusable as error:
        print(error)
        return 2
    bill = complete(json.loads(path.read_text()), added)
    path.write_text(json.dumps(bill, indent=2, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
