"""Container images without a container engine: layers, archives, and what is cached of them.

model = images.Image(
    "example.org/model:1",
    layers=[images.python_base(), images.pip(["scikit-learn==1.7.2"]), images.files({…})],
    entrypoint=["python3", "-m", "model"],
)
images.write_archive(Path("model.tar"), [model])
"""

from sandbox.images.archive import Image, write_archive
from sandbox.images.layers import Layer, LayerFailed, files, folder
from sandbox.images.rootfs import busybox, pause, python_base
from sandbox.images.site import pip

__all__ = [
    "Image",
    "Layer",
    "LayerFailed",
    "busybox",
    "files",
    "folder",
    "pause",
    "pip",
    "python_base",
    "write_archive",
]
