"""The servers' images, all but the last layers shared, and the models that are in them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox import images, paths
from sandbox.images import Image

HERE = Path(__file__).parent
MODELS = paths.cache() / "servers" / "models"
SKLEARN = "scikit-learn==1.7.2"
MLSERVER = ["mlserver==1.7.1", "mlserver-sklearn==1.7.1", SKLEARN]
XGBOOST = "xgboost-cpu==3.2.0"
# The CPU's build has the module of the full one, which is forty times larger.
MLSERVER_XGBOOST = ["mlserver-xgboost==1.7.1", XGBOOST]
PYTHON_SERVERS = [
    "kserve==0.21.0",
    "litserve==0.2.19",
    "onnxruntime==1.32.0",
    "numpy==2.4.6",
]
APPLICATION_SERVERS = [
    "ray[serve]==2.60.0",
    "bentoml==1.4.40",
    "onnxruntime==1.32.0",
    "numpy==2.4.6",
]
#: What `pip install` makes of entry points, and what Ray's own image has.
COMMANDS = {
    "/usr/local/bin/python": '#!/bin/sh\nexec python3 "$@"\n',
    "/usr/local/bin/ray": "#!/usr/bin/python3\nfrom ray.scripts.scripts import main\nmain()\n",
    "/usr/local/bin/serve": "#!/usr/bin/python3\nfrom ray.serve.scripts import cli\ncli()\n",
}
TRAINING = [SKLEARN, XGBOOST, "onnx==1.19.1"]


START = ["python3", "-m", "mlserver.cli.main", "start", "/tmp"]
QUIET = {
    "MLSERVER_PARALLEL_WORKERS": "0",
    "MLSERVER_ENVIRONMENTS_DIR": "/tmp/envs",
    "OMP_NUM_THREADS": "1",
    "HOME": "/tmp",
}


def mlserver_image() -> Image:
    """MLServer for scikit-learn, and no model."""
    return Image(
        "canarium.dev/servers:mlserver",
        [images.python_base(), images.pip(MLSERVER)],
        entrypoint=START, env=QUIET, user="1000", working_dir="/tmp",
    )  # fmt: skip


def server_images(models: Path) -> list[Image]:
    """An image per server, with its model below /models."""
    base, user, start, quiet = images.python_base(), "1000", START, QUIET
    mlserver = images.pip(MLSERVER)
    python = images.pip(PYTHON_SERVERS)
    applications = images.pip(APPLICATION_SERVERS)
    served = images.files(
        {
            **COMMANDS,
            "/models/onnx": models / "onnx",
            "/models/onnx/serving.py": HERE / "ray_onnx.py",
            "/app/service.py": HERE / "bento_onnx.py",
        },
        executable=tuple(COMMANDS),
    )
    code = images.files(
        {
            "/app/kserve_onnx.py": HERE / "kserve_onnx.py",
            "/app/lit_onnx.py": HERE / "lit_onnx.py",
            "/models/onnx": models / "onnx",
        }
    )
    return [
        Image(
            "canarium.dev/servers:mlserver-sklearn",
            [base, mlserver, images.files({"/models/sklearn": models / "sklearn"})],
            entrypoint=start, env=quiet, user=user, working_dir="/tmp",
        ),
        Image(
            "canarium.dev/servers:mlserver-xgboost",
            [
                base,
                mlserver,
                images.pip(MLSERVER_XGBOOST, dependencies=False),
                images.files({"/models/xgboost": models / "xgboost"}),
            ],
            entrypoint=start, env=quiet, user=user, working_dir="/tmp",
        ),
        Image(
            "canarium.dev/servers:kserve-onnx",
            [base, python, code],
            entrypoint=["python3", "/app/kserve_onnx.py"], env=quiet, user=user,
            working_dir="/tmp",
        ),
        Image(
            "canarium.dev/servers:litserve-onnx",
            [base, python, code],
            entrypoint=["python3", "/app/lit_onnx.py"], env=quiet, user=user, working_dir="/tmp",
        ),
        Image(
            "canarium.dev/servers:ray-onnx",
            [base, applications, served], env=quiet, user=user, working_dir="/tmp",
        ),
        Image(
            "canarium.dev/servers:bento-onnx",
            [base, applications, served],
            entrypoint=["python3", "-m", "bentoml", "serve", "service:Api"], env=quiet, user=user,
            working_dir="/app",
        ),
    ]  # fmt: skip


def train() -> Path:
    """Makes the models with the very libraries that serve them, once; their folder."""
    script = HERE / "train.py"
    wanted = "\n".join([*TRAINING, hashlib.sha256(script.read_bytes()).hexdigest()])
    done = MODELS.parent / "done"
    with paths.locked(MODELS.parent / ".lock"):
        if done.exists() and done.read_text() == wanted:
            return MODELS
        venv = MODELS.parent / "venv"
        for stale in (venv, MODELS):
            shutil.rmtree(stale, ignore_errors=True)
        python = venv / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *TRAINING], check=True)
        subprocess.run([python, script, MODELS], check=True, capture_output=True)
        done.write_text(wanted)
    return MODELS
