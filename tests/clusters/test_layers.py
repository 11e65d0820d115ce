"""Which layers of packages `python -m support.layers` makes: those of all images of the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sandbox import images as layers
from support import baseline, images
from support import layers as ahead
from support.model_servers.images import mlserver_image, server_images
from support.stores import pod

Packages = tuple[tuple[str, ...], bool]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[Packages]:
    """What would have been installed, each layer with whether its dependencies are; nothing is."""
    made: list[Packages] = []

    def pip(requirements: Sequence[str], *, dependencies: bool = True) -> str:
        made.append((tuple(requirements), dependencies))
        return "pip"

    monkeypatch.setattr(layers, "pip", pip)
    for other in ("python_base", "folder", "files"):
        monkeypatch.setattr(layers, other, lambda *_, name=other, **__: name)
    monkeypatch.setattr(images.clients, "find", Path)
    return made


def previous(folder: Path) -> Path:
    """A previous release that needs another package than this one."""
    (folder / "requirements").mkdir()
    (folder / "requirements" / "runtime.txt").write_text("kopf==1.0\nolder==0.9\n")
    return folder


def test_every_layer_of_packages_is_made_ahead(
    installed: list[Packages], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(baseline, "export", previous)
    ahead.main()
    cached = set(installed)
    assert (("kopf==1.0", "older==0.9"), True) in cached
    makers: tuple[Callable[[], object], ...] = (
        images.operator_image,
        images.fetch_image,
        images.cli_image,
        images.server_images,
        images.speaking_images,
        mlserver_image,
        lambda: server_images(tmp_path),
        pod.tracking_image,
        pod.moto_layers,
    )
    for make in makers:
        make()
    assert set(installed) - cached == set()


def test_layers_are_made_without_the_sources_of_the_previous_release(
    installed: list[Packages], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(folder: Path) -> Path:
        raise baseline.NoBaseline("v0.1.0: the history is shallow")

    monkeypatch.setattr(baseline, "export", missing)
    ahead.main()
    assert (tuple(images.locked("runtime")), True) in installed
    assert "previous release: v0.1.0: the history is shallow" in capsys.readouterr().err
