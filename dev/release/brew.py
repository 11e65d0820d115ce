"""The Homebrew formula of a release, generated from the archives.

`python -m release.brew v1.2.3 dist` writes dist/kubectl-modeldeploy.rb for the archives in `dist`,
for a tap (https://docs.brew.sh/How-to-Create-and-Maintain-a-Tap). The archives have an interpreter
(`make dist-cli SCIE=1`), so the formula depends on kubectl only.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from release.krew import HOME
from release.singlefile import COMPLETION, PROGRAM, checksum
from release.version import Unusable, of_tag

#: Platforms of the archives → the blocks of Homebrew.
_SYSTEMS = {"darwin": "macos", "linux": "linux"}
_MACHINES = {"amd64": "intel", "arm64": "arm"}
_HEAD = """\
class KubectlModeldeploy < Formula
  desc "Roll out model versions and follow them"
  homepage "{home}"
  version "{version}"
  license "Apache-2.0"

  depends_on "kubernetes-cli"
"""
_TAIL = """\

  def install
    bin.install "{program}", "{completion}"
  end

  test do
    assert_match version.to_s, shell_output("#{{bin}}/{program} --version")
  end
end
"""


def formula(version: str, archives: list[Path], home: str = HOME) -> str:
    """Returns the formula of a release.

    Raises Unusable without archives, and for one of a platform that Homebrew does not have.
    """
    if not archives:
        raise Unusable(f"there is no archive {PROGRAM}-*.tar.gz: run `make dist-cli` first")
    blocks: dict[str, list[str]] = {}
    for path in sorted(archives):
        name = path.name.removesuffix(".tar.gz").removeprefix(f"{PROGRAM}-")
        system, _, machine = name.partition("-")
        if system not in _SYSTEMS or machine not in _MACHINES:
            raise Unusable(f"{path.name} is for {name}, which Homebrew does not have")
        uri = f"{home}/releases/download/v{version}/{path.name}"
        blocks.setdefault(_SYSTEMS[system], []).extend(_block(machine, uri, checksum(path)))
    lines = [line for system in sorted(blocks) for line in _around(system, blocks[system])]
    head = _HEAD.format(home=home, version=version)
    return head + "\n".join(lines) + "\n" + _TAIL.format(program=PROGRAM, completion=COMPLETION)


def _block(machine: str, uri: str, digest: str) -> Iterator[str]:
    yield f"    on_{_MACHINES[machine]} do"
    yield f'      url "{uri}"'
    yield f'      sha256 "{digest}"'
    yield "    end"


def _around(system: str, lines: list[str]) -> Iterator[str]:
    yield ""
    yield f"  on_{system} do"
    yield from lines
    yield "  end"


def main(arguments: list[str]) -> int:
    """Writes the formula of the archives in a folder; returns the exit code."""
    if len(arguments) != 2:
        print(__doc__)
        return 2
    folder = Path(arguments[1])
    try:
        text = formula(of_tag(arguments[0]), list(folder.glob(f"{PROGRAM}-*.tar.gz")))
    except Unusable as error:
        print(error)
        return 2
    target = folder / f"{PROGRAM}.rb"
    target.write_text(text)
    print(f"wrote {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
