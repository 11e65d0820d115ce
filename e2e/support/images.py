"""Images of the operator, and of a small server whose tag selects its behaviour."""

from __future__ import annotations

from pathlib import Path

from sandbox import clients, images
from sandbox.images import Image

ROOT = Path(__file__).parents[2]
SERVER = Path(__file__).parent / "server.py"
#: Tag → how the server behaves; see `server.py`.
BEHAVIOURS = {
    "v1": "good",
    "v2": "good",
    "v3": "exits",
    "v4": "good",
    "v5": "good",
    "hungry": "hungry",
    "wrong": "wrong",
    "slow": "slow",
    "flaky": "flaky",
}
#: What a server needs to speak gRPC.
_GRPC = frozenset({"grpclib", "h2", "hpack", "hyperframe", "multidict"})
#: Versions that speak gRPC, too.
SPEAKING = ("v1", "v2")


def operator_image(root: Path = ROOT, tag: str = "0.1.0") -> Image:
    """The operator of the checkout `root` on Debian's Python, with its locked requirements."""
    return _own(root, f"canarium.dev/canarium:{tag}", "runtime")


def fetch_image(root: Path = ROOT, tag: str = "0.1.0") -> Image:
    """The fetcher, in the same way."""
    return _own(root, f"canarium.dev/canarium-fetch:{tag}", "fetch")


def cli_image(tag: str = "0.1.0") -> Image:
    """The command line with kubectl, which `helm test` runs."""
    return Image(
        f"canarium.dev/canarium-cli:{tag}",
        [
            images.python_base(),
            images.pip(locked("cli")),
            images.folder(ROOT / "operator" / "canarium", "/app/canarium"),
            images.folder(ROOT / "cli" / "canarium_cli", "/app/canarium_cli"),
            # Some machines have a link, which would lead nowhere in the image.
            images.files({"/usr/local/bin/kubectl": clients.find("kubectl").resolve()}),
        ],
        entrypoint=["python3", "-m", "canarium_cli.main"],
        env={"PYTHONPATH": "/app:/opt/site", "PYTHONDONTWRITEBYTECODE": "1"},
        user="65532",
    )


def locked(name: str, root: Path = ROOT) -> list[str]:
    """What `requirements/<name>.txt` pins, without hashes."""
    return [
        line.split(" ")[0]
        for line in (root / "requirements" / f"{name}.txt").read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    ]


def _own(root: Path, tag: str, requirements: str) -> Image:
    return Image(
        tag,
        [
            images.python_base(),
            images.pip(locked(requirements, root)),
            images.folder(root / "operator" / "canarium", "/app/canarium"),
        ],
        entrypoint=["python3", "-m", "canarium"],
        env={"PYTHONPATH": "/app:/opt/site", "PYTHONDONTWRITEBYTECODE": "1"},
        user="65532",
    )


def server_images() -> list[Image]:
    """A server per behaviour; all but the last, tiny layer is shared."""
    base = images.python_base()
    code = images.files({"/app/server.py": SERVER})
    return [
        Image(
            f"canarium.dev/story:{tag}",
            [base, code, images.files({"/app/behaviour": behaviour})],
            entrypoint=["python3", "/app/server.py", tag],
            user="1000",
        )
        for tag, behaviour in BEHAVIOURS.items()
    ]


def speaking_images() -> list[Image]:
    """Servers that speak gRPC, too."""
    parts = ("__init__", "server", "grpc_wire", "grpc_server")
    code = {f"/app/support/{part}.py": SERVER.with_name(f"{part}.py") for part in parts}
    layers = [
        images.python_base(),
        images.pip([line for line in locked("dev") if line.split("==")[0] in _GRPC]),
        images.files({"/app/behaviour": "good", **code}),
    ]
    return [
        Image(
            f"canarium.dev/story-grpc:{tag}",
            layers,
            entrypoint=["python3", "-m", "support.grpc_server", tag],
            env={"PYTHONPATH": "/app"},
            user="1000",
        )
        for tag in SPEAKING
    ]
