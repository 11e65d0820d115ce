"""A Docker engine and a node image for kind, from package registries alone.

For machines without Docker, GitHub and a container registry, so that the kind mode can be tested
there. Docker is taken from Debian's packages and installed nowhere; kind and kubeadm are built from
their Go modules; the node is Debian's containerd below kind's own scripts.

Reading order: `engine.py` (the daemon in separate namespaces), `preloaded.py` (the images of the
control plane), `node.py` and `node.sh` (the node image), `cli.py`.

Invariants: nothing is installed, and neither the network nor the mounts of the machine change. When
the first process ends, the kernel ends everything else.
"""

from sandbox.engine.engine import Engine, EngineFailed, NoEngine
from sandbox.engine.node import node_image

__all__ = ["Engine", "EngineFailed", "NoEngine", "node_image"]
