"""The model server's images: Debian's Python, the real MLServer, and one model a tag."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from sandbox import images, paths
from sandbox.images import Image
from support.model_servers.images import MLSERVER, SKLEARN

HERE = Path(__file__).parent
VERSIONS = (1, 2, 3, 4, 5)


def model_images(models: Path) -> list[Image]:
    """An image per version below `models`; all but the last layer is shared."""
    shared = [
        images.python_base(),
        images.pip(MLSERVER),
        images.files({"/models/code/fragile.py": HERE / "fragile.py"}),
    ]
    return [
        Image(
            f"canarium.dev/fraud:v{version}",
            [
                *shared,
                images.files(
                    {"/models/fraud/model.joblib": models / f"v{version}" / "model.joblib"}
                ),
            ],
            entrypoint=["python3", "-m", "mlserver.cli.main", "start", "/tmp"],
            env={
                "PYTHONPATH": "/models/code",
                # In one process, so that a model that dies takes its server along.
                "MLSERVER_PARALLEL_WORKERS": "0",
                "MLSERVER_ENVIRONMENTS_DIR": "/tmp/envs",
                "OMP_NUM_THREADS": "1",
            },
            user="1000",
            working_dir="/tmp",
        )
        for version in VERSIONS
    ]


def train() -> Path:
    """Trains the models, with the very scikit-learn that serves them; their folder."""
    place = paths.cache() / "demo"
    python = place / "venv" / "bin" / "python"
    if not (place / "venv" / "done").exists():
        shutil.rmtree(place / "venv", ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", SKLEARN], check=True)
        (place / "venv" / "done").touch()
    models = place / "models"
    subprocess.run([python, HERE / "train.py", models], check=True, capture_output=True)
    return models
