"""`python -m support.layers`: builds those layers of the tests' images that consist of packages.

For tests in a network without a route to the outside, which then take them from the cache.
"""

from __future__ import annotations

from sandbox import images as layers
from support import images
from support.model_servers.images import APPLICATION_SERVERS, MLSERVER, PYTHON_SERVERS
from support.stores import pod


def main() -> None:
    """Returns once all of them are in the cache."""
    for make in (images.operator_image, images.fetch_image, images.cli_image, pod.tracking_image):
        make()
    images.speaking_images()
    pod.moto_layers()
    for packages in (MLSERVER, PYTHON_SERVERS, APPLICATION_SERVERS):
        layers.pip(packages)


if __name__ == "__main__":
    main()
