"""The files of a release beside wheels and images.

`python -m release.assets v1.2.3 dist [REGISTRY]` writes into `dist`:

- `install.yaml`: the chart with its default values, for `kubectl apply` without Helm;
- `canarium-crds.yaml`: the CustomResourceDefinitions alone, for clusters where an administrator
  manages them;
- `canarium-1.2.3.tgz`: the chart, for `helm push` or `helm install`;
- `notes.md`: the section of the changelog;
- `SHA256SUMS`: the checksums of everything in `dist`, for `sha256sum --check`.

The chart and `install.yaml` name the images below `REGISTRY`, or as `make images` names them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from release import artifacthub, links
from release.singlefile import checksum
from release.version import Unusable, of_tag, stated

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "canarium"
NAMESPACE = "canarium"
SUMS = "SHA256SUMS"
#: The oldest Kubernetes that the chart supports: what renders for it is accepted by newer ones.
_OLDEST = "1.31.0"
_IMAGES = (
    "canarium",
    "canarium-fetch",
    "canarium-dashboard",
    "canarium-notifier",
    "canarium-cli",
)
#: Where `make images` puts them.
_UNPUBLISHED = "canarium.dev"
_HEADER = """\
# Canarium {version}: the chart with its default values.
# kubectl apply --server-side -f install.yaml
"""
_NAMESPACE = f"""\
---
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
"""


def published_chart(version: str, registry: str | None, into: Path) -> Path:
    """Copies the chart into a folder, with the images of the registry as the default values.

    They and the changes of the version are listed for Artifact Hub, too. Links to the repository,
    those of the alerts' runbooks included, are to the tag of the version. Returns the path of the
    copy. Raises Unusable without a section of the changelog.
    """
    chart = into / CHART.name
    shutil.copytree(CHART, chart)
    repository = f"repository: {registry or _UNPUBLISHED}/"
    values = (chart / "values.yaml").read_text()
    (chart / "values.yaml").write_text(values.replace(f"repository: {_UNPUBLISHED}/", repository))
    links.pin(chart, CHART.relative_to(ROOT).as_posix(), version)
    images = [(name, f"{registry or _UNPUBLISHED}/{name}:{version}") for name in _IMAGES]
    section = notes((ROOT / "CHANGELOG.md").read_text(), version)
    with (chart / "Chart.yaml").open("a") as metadata:
        metadata.write(artifacthub.added(images, section))
    return chart


def install_manifest(helm: str, version: str, chart: Path) -> str:
    """Returns the objects of the chart, their namespace first, as one YAML text.

    Helm's hooks are left out: `kubectl apply` would run them as ordinary objects. Raises
    subprocess.CalledProcessError if helm fails.
    """
    words = [helm, "template", "canarium", str(chart), "-n", NAMESPACE, "--no-hooks"]
    words += ["--kube-version", _OLDEST]
    rendered = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return _HEADER.format(version=version) + _NAMESPACE + rendered


def crd_bundle() -> str:
    """Returns the CustomResourceDefinitions as one YAML text."""
    texts = [path.read_text().removeprefix("---\n") for path in sorted(ROOT.glob("crds/*.yaml"))]
    return "---\n" + "---\n".join(texts)


def notes(changelog: str, version: str) -> str:
    """Returns the section of `version` without its heading. Raises Unusable without one."""
    section = re.search(
        rf"^## {re.escape(version)} \([^)]*\)\n(.*?)(?=^## |\Z)",
        changelog,
        re.DOTALL | re.MULTILINE,
    )
    if section is None:
        raise Unusable(f"CHANGELOG.md: no section for {version}; `python -m release` writes it")
    return section[1].strip() + "\n"


def write_checksums(folder: Path) -> Path:
    """Writes the checksums of all files in `folder`, in the format of sha256sum."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != SUMS)
    target = folder / SUMS
    target.write_text("".join(f"{checksum(path)}  {path.name}\n" for path in files))
    return target


def write(version: str, folder: Path, helm: str, registry: str | None) -> list[Path]:
    """Writes the files of a release into `folder` and returns their paths.

    Raises Unusable for a version that the repository does not state, or has no changes of.
    """
    wrong = [name for name, versions in stated(ROOT).items() if versions != {version}]
    if wrong:
        raise Unusable(f"{', '.join(wrong)}: not {version}; run `python -m release v{version}`")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        chart = published_chart(version, registry, Path(scratch))
        texts = {
            "install.yaml": install_manifest(helm, version, chart),
            "canarium-crds.yaml": crd_bundle(),
            "notes.md": notes((ROOT / "CHANGELOG.md").read_text(), version),
        }
        for name, text in texts.items():
            (folder / name).write_text(text)
        package = [helm, "package", str(chart), "--destination", str(folder)]
        subprocess.run(package, check=True, capture_output=True)
    archive = folder / f"canarium-{version}.tgz"
    return [*(folder / name for name in texts), archive, write_checksums(folder)]


def main(arguments: list[str]) -> int:
    """Writes the files of a release; returns the exit code."""
    if len(arguments) not in (2, 3):
        print(__doc__)
        return 2
    registry = arguments[2].rstrip("/") if len(arguments) == 3 else None
    try:
        written = write(of_tag(arguments[0]), Path(arguments[1]), "helm", registry)
    except Unusable as error:
        print(error)
        return 2
    except FileNotFoundError:
        print("helm is not on the PATH: https://helm.sh/docs/intro/install/")
        return 2
    except subprocess.CalledProcessError as error:
        print(f"helm failed: {error.stderr}")
        return 1
    print("\n".join(f"wrote {path}" for path in written))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
