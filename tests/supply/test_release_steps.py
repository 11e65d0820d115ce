"""A release from a tag: what is refused before, the order of the steps, and both kinds of run.

Both run in a copy of the repository with real git, helm, make and ssh-keygen, and a real registry
for the chart. Docker, the bills of materials and the single file are left out: test_images.py,
test_bill.py and test_cli_release.py run them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from canarium import VERSION
from fetch.registries import Registry
from release import preconditions, publish, singlefile
from release.steps import IDENTITY, PURPOSE, SIGNERS, Release, steps
from release.version import Unusable
from sandbox import clients

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "0" * 64
_TREE = (
    "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile", "Dockerfile", "operator",
    "cli", "charts", "crds", "dev", "requirements", "changes", ".gitignore",
)  # fmt: skip
#: Builds everything but what other tests build; `-o` keeps the environment as it is.
_MAKE = """#!/bin/sh
echo "make $*" >> {folder}/calls
case "$1" in
  sbom) echo '{{}}' > dist/canarium.cdx.json ;;
  *) exec {make} -o .venv/.ready "$@" ;;
esac
"""
#: Knows the digest of each image that it is asked for.
_DOCKER = """#!/bin/sh
echo "docker $*" >> {folder}/calls
test "$2" = inspect || exit 0
shift 4
for image; do echo "${{image%:*}}@{digest}"; done
"""


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    served = Registry()
    yield served
    served.stop()


class Checkout:
    """A committed copy of the repository, with the programs that a release runs."""

    def __init__(self, folder: Path) -> None:
        self.root, self.programs, self.key = folder / "tree", folder / "bin", folder / "key"
        self._calls = folder / "calls"
        self.programs.mkdir()
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        for name in _TREE:
            source, target = ROOT / name, self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=ignored)
            else:
                shutil.copy2(source, target)
        (self.root / ".venv").symlink_to(ROOT / ".venv")
        self._key()
        self._program("make", _MAKE)
        self._program("docker", _DOCKER)
        (self.programs / "helm").symlink_to(clients.find("helm"))
        self.archive = singlefile.archive(self._single(folder), folder)
        self.git("init", "-q")
        # The link to the environment is not a folder, which .gitignore names.
        (self.root / ".git" / "info" / "exclude").write_text(".venv\n")
        self.commit()

    def _single(self, folder: Path) -> Path:
        program = folder / f"{singlefile.PROGRAM}-{singlefile.target()}"
        program.write_text("#!/bin/sh\n")
        return program

    def _program(self, name: str, text: str) -> None:
        path = self.programs / name
        make = shutil.which("make")
        path.write_text(text.format(folder=self.root.parent, make=make, digest=DIGEST))
        path.chmod(0o755)

    def _key(self) -> None:
        new = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)]
        subprocess.run(new, check=True)

    @property
    def signer(self) -> str:
        """The line that allows the key to sign releases."""
        kind, public = Path(f"{self.key}.pub").read_text().split()[:2]
        return f'{IDENTITY} namespaces="{PURPOSE},git" {kind} {public}\n'

    @property
    def environment(self) -> dict[str, str]:
        # The modules of the copy, not those that the environment refers to.
        paths = [str(self.root / name) for name in ("dev", "operator", "cli")]
        git = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        who = {"NAME": "ci", "EMAIL": "ci@example.com"}
        git |= {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER")
                for key, value in who.items()}  # fmt: skip
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, **git, "PATH": path, "PYTHONPATH": os.pathsep.join(paths)}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False
        )

    def git(self, *words: str) -> str:
        done = self.run("git", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "release")

    def release(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs `make release` with the real make, as a maintainer does."""
        make = str(shutil.which("make"))
        shared = [f"TAG=v{VERSION}", f"KEY={self.key}", f"ARCHIVES={self.archive.parent}"]
        return self.run(make, "-s", "-o", ".venv/.ready", "release", *shared, *words)

    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_dry_run_makes_every_file_and_publishes_nothing(checkout: Checkout) -> None:
    done = checkout.release("DRY_RUN=1")
    assert done.returncode == 0, done.stderr
    dist = checkout.root / "dist"
    assert {path.name for path in dist.iterdir()} == {
        f"canarium-{VERSION}-py3-none-any.whl", f"canarium_cli-{VERSION}-py3-none-any.whl",
        "canarium.cdx.json", checkout.archive.name, "modeldeploy.yaml", "kubectl-modeldeploy.rb",
        "install.yaml", "canarium-crds.yaml", f"canarium-{VERSION}.tgz", "notes.md",
        "SHA256SUMS", "SHA256SUMS.sig",
    }  # fmt: skip
    summed = {line.split("  ")[1] for line in (dist / "SHA256SUMS").read_text().splitlines()}
    assert summed == {path.name for path in dist.iterdir()} - {"SHA256SUMS", "SHA256SUMS.sig"}
    assert any(call.startswith("docker build ") for call in checkout.calls())
    assert not any(re.match("docker (push|tag)", call) for call in checkout.calls())
    assert checkout.git("tag") == ""
    for title in ("push the images", "push the chart", "create the tag"):
        assert f"not in a dry run: {title}\n" in done.stdout
    assert checkout.git("status", "--porcelain") == ""


def test_release_is_signed_pushed_and_tagged(checkout: Checkout, registry: Registry) -> None:
    dated = checkout.root / "CHANGELOG.md"
    dated.write_text(dated.read_text().replace("(unreleased)", "(2026-12-01)", 1))
    (checkout.root / SIGNERS).write_text(checkout.signer)
    checkout.commit()
    where = f"{registry.host}/ml"
    bases = dict(re.findall(r"(?m)^ARG (PYTHON|KUBECTL)=(\S+)", (ROOT / "Dockerfile").read_text()))
    build = " ".join(f"--build-arg {name}={image}@{DIGEST}" for name, image in bases.items())
    done = checkout.release(f"REGISTRY={where}", f"BUILD={build}")
    assert done.returncode == 0, done.stderr

    dist = checkout.root / "dist"
    images = (dist / "images.txt").read_text().split()
    assert f"{where}/canarium@{DIGEST}" in images
    pushed = [call.split()[2] for call in checkout.calls() if call.startswith("docker push ")]
    assert [image.partition("@")[0] for image in images] == [
        image.rpartition(":")[0] for image in sorted(pushed, key=images_order(images))
    ]
    assert "  images.txt\n" in (dist / "SHA256SUMS").read_text()
    built = [call for call in checkout.calls() if call.startswith("docker build ")]
    assert all(f"PYTHON={bases['PYTHON']}@{DIGEST}" in call for call in built)

    chart = checkout.run(
        "helm", "show", "chart", f"oci://{where}/charts/canarium", "--version", VERSION,
        "--plain-http",
    )  # fmt: skip
    assert chart.returncode == 0, chart.stderr
    described = yaml.safe_load(chart.stdout)
    assert (described["name"], described["version"]) == ("canarium", VERSION)
    assert f"{where}/canarium:{VERSION}" in described["annotations"]["artifacthub.io/images"]

    assert checkout.git("tag", "--points-at", "HEAD") == f"v{VERSION}"
    signers = f"gpg.ssh.allowedSignersFile={checkout.root / SIGNERS}"
    verified = checkout.run("git", "-c", signers, "verify-tag", f"v{VERSION}")
    assert verified.returncode == 0, verified.stderr
    assert f'Good "git" signature for {IDENTITY}' in verified.stderr


def images_order(images: list[str]) -> object:
    """A key that sorts references by tag as the list of digests is sorted."""
    names = [image.partition("@")[0] for image in images]
    return lambda reference: names.index(reference.rpartition(":")[0])


def documented() -> list[str]:
    """The commands with which users verify a release."""
    page = (ROOT / "docs" / "contributing" / "releasing.md").read_text()
    [block] = re.findall(r"(?ms)^```sh\n(ssh-keygen -Y verify.*?)^```", page)
    return block.splitlines()


@pytest.mark.parametrize(
    ("changed", "accepted"), [("", True), ("notes.md", False), ("SHA256SUMS", False)]
)
def test_documented_verification_detects_a_changed_file(
    changed: str, accepted: bool, checkout: Checkout, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "notes.md").write_text("New.\n")
    subprocess.run("sha256sum notes.md > SHA256SUMS", shell=True, cwd=folder, check=True)
    [command] = [
        step.command for step in steps(requested(checkout)) if step.title.startswith("sign")
    ]
    (tmp_path / "dist").symlink_to(folder)
    subprocess.run(command, cwd=tmp_path, check=True)
    (folder / "signers").write_text(checkout.signer)
    if changed:
        with (folder / changed).open("a") as file:
            file.write(f"{'0' * 64}  other\n")
    done = subprocess.run(["sh", "-ec", "\n".join(documented())], cwd=folder, capture_output=True)
    assert (done.returncode == 0) is accepted, done.stderr


def requested(checkout: Checkout, **changes: object) -> Release:
    """A release that the checkout could make but for a date, a signer and digests."""
    release = Release(VERSION, "registry.example.org/ml", dry_run=True, key=checkout.key)
    return replace(release, **changes)  # type: ignore[arg-type]


def faults(checkout: Checkout, monkeypatch: pytest.MonkeyPatch, **changes: object) -> list[str]:
    monkeypatch.setenv("PATH", checkout.environment["PATH"])
    return list(preconditions.faults(requested(checkout, **changes), checkout.root))


def test_release_with_faults_is_refused_before_anything_is_built(checkout: Checkout) -> None:
    (checkout.root / "new.txt").touch()
    (checkout.root / "dist").mkdir()
    (checkout.root / "dist" / "earlier").touch()
    done = checkout.release("REGISTRY=registry.example.org/ml")
    assert done.returncode == 2
    for fault in (
        "the tree is not clean: commit or delete new.txt",
        f"CHANGELOG.md: the section {VERSION} has no date: run `python -m release v{VERSION}`",
        f"its public key is not in {SIGNERS}",
        "is not pinned by digest",
    ):
        assert fault in done.stderr
    assert (checkout.root / "dist" / "earlier").exists()


def test_fault_names_what_is_wrong_and_its_remedy(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert faults(checkout, monkeypatch) == []
    assert faults(checkout, monkeypatch, key=checkout.root / "absent")[0].startswith(
        f"KEY={checkout.root / 'absent'}: no such file; name an SSH key by KEY="
    )
    assert faults(checkout, monkeypatch, key=None, sign="gpg") == []
    other = faults(checkout, monkeypatch, version="9.9.9")
    assert f"pyproject.toml states {VERSION}, not 9.9.9: run `python -m release v9.9.9`" in other[0]
    assert other[-1].startswith("CHANGELOG.md: no section for 9.9.9")
    missing = faults(checkout, monkeypatch, dry_run=False, registry=None)
    assert any(fault.startswith("REGISTRY is missing") for fault in missing)
    checkout.git("tag", f"v{VERSION}")
    assert faults(checkout, monkeypatch)[0].startswith(f"the tag v{VERSION} exists")
    monkeypatch.setenv("PATH", str(checkout.root))
    monkeypatch.setattr(preconditions, "_git", lambda *_: "")
    assert "helm is not on the PATH: install it" in list(
        preconditions.faults(requested(checkout), checkout.root)
    )


def test_what_publishes_follows_what_can_fail_and_the_tag_is_last() -> None:
    planned = steps(Release(VERSION, "r.example/ml", dry_run=False, key=Path("/key")))
    titles = [step.title for step in planned]
    assert titles[-1] == "create the tag"
    assert titles.index("sign the checksums") < titles.index("push the chart")
    # The digests, which the checksums cover, are known after the push only.
    early = [step for step in planned[: titles.index("sign the checksums")] if step.publishes]
    assert [step.title for step in early] == ["push the images", "record the digests of the images"]


def test_command_line_of_this_platform_is_not_built_twice() -> None:
    release = Release(VERSION, None, dry_run=True, key=Path("/key"), platform="linux-amd64")
    built = "build the command line"
    assert built in [step.title for step in steps(release)]
    other = replace(release, archives=(Path("/a/kubectl-modeldeploy-darwin-arm64.tar.gz"),))
    assert built in [step.title for step in steps(other)]
    same = replace(release, archives=(Path("/a/kubectl-modeldeploy-linux-amd64.tar.gz"),))
    assert built not in [step.title for step in steps(same)]


def test_chart_is_pushed_beside_the_images_and_without_tls_on_this_machine_only() -> None:
    def command(registry: str) -> tuple[str, ...]:
        planned = steps(Release(VERSION, registry, dry_run=False, key=Path("/key")))
        return next(step.command for step in planned if step.title == "push the chart")

    assert command("r.example/ml")[-1] == "oci://r.example/ml/charts"
    assert command("127.0.0.1:5000")[-2:] == ("oci://127.0.0.1:5000/charts", "--plain-http")


def test_dry_run_without_a_registry_names_none() -> None:
    planned = steps(Release(VERSION, None, dry_run=True, key=Path("/key")))
    words = [word for step in planned for word in step.command]
    assert not any("None" in word for word in words)
    # `canarium.dev`, where `make images` puts the images, stays in the chart.
    assert ("make", "assets") in [step.command for step in planned]


def test_another_command_signs_and_verifies() -> None:
    release = Release(VERSION, None, dry_run=True, sign="gpg -b", verify="gpg --verify x")
    commands = [step.command[-1] for step in steps(release) if step.command[0] == "sh"]
    assert commands == ["gpg -b dist/SHA256SUMS", "gpg --verify x"]
    unverified = steps(replace(release, verify=""))
    assert ("sh", "-c", "test -s dist/SHA256SUMS.sig") in [step.command for step in unverified]


def test_failed_step_ends_the_release(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    failing = replace(
        steps(Release(VERSION, None, dry_run=True))[0], command=("sh", "-c", "exit 3")
    )
    after = replace(failing, command=("touch", "after"))
    assert publish.run([failing, after], tmp_path, dry_run=False) == 3
    assert not (tmp_path / "after").exists()
    assert "Could not build the wheels: exit code 3. No tag was created." in capfd.readouterr().err


def test_folder_without_archives_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"ARCHIVES=.*: no kubectl-modeldeploy"):
        publish.requested([f"v{VERSION}", "--archives", str(tmp_path)])
    with pytest.raises(Unusable, match="a tag is v1"):
        publish.requested(["1.2.3"])


def test_signers_of_the_repository_are_a_valid_file() -> None:
    """Comments, or lines for releases and their tags only."""
    for line in (ROOT / SIGNERS).read_text().splitlines():
        assert line.startswith(("#", f'{IDENTITY} namespaces="{PURPOSE},git" ')), line
