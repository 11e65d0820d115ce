"""The images of the demo: MLflow with the training script, its store, the model server, the
fetcher."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sandbox import images
from sandbox.images import Image
from support.images import fetch_image, locked
from support.model_servers.images import SKLEARN, mlserver_image
from support.stores.pod import moto_layers

HERE = Path(__file__).parent
#: MLflow with its pages and what it needs for S3, and what trains with it: models are read by the
#: scikit-learn that made them.
MLFLOW = [
    "mlflow==3.17.2",
    SKLEARN,
    *(line for line in locked("mlflow") if line.startswith("boto3==")),
]
IMAGE, S3 = "canarium.dev/mlflow:demo", "canarium.dev/s3:demo"


def registry_images() -> Sequence[Image]:
    """All images, but that of the operator."""
    return [mlflow_image(), s3_image(), mlserver_image(), fetch_image()]


def s3_image() -> Image:
    """A store that speaks S3, with a bucket for MLflow."""
    code = images.files({"/app/s3.py": HERE / "s3.py"})
    return Image(S3, [*moto_layers(), code], user="1000")


def mlflow_image() -> Image:
    """Server and training in one image, as `pip install mlflow scikit-learn` makes it."""
    return Image(
        IMAGE,
        [
            images.python_base(),
            images.pip(MLFLOW),
            images.files({"/app/train.py": HERE / "train.py"}),
        ],
        env={
            "HOME": "/tmp",
            "OMP_NUM_THREADS": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            # Training runs where there is no git.
            "GIT_PYTHON_REFRESH": "quiet",
            # A runner of jobs for language models: eight processes of 240 MB each.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
        user="1000",
        working_dir="/tmp",
    )
