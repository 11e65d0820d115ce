"""`python -m support.layers`: builds those layers of the tests' images that consist of packages.

For tests in a network without a route to the outside, which then take them from the cache.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from sandbox import images as layers
from support import baseline, images
from support.model_servers.images import (
    APPLICATION_SERVERS,
    MLSERVER,
    MLSERVER_XGBOOST,
    PYTHON_SERVERS,
)
from support.stores import pod


def main() -> None:
    """Returns once all of them are in the cache.

    Without the sources of the previous release, prints why; tests of upgrades then report that.
    """
    for make in (images.operator_image, images.fetch_image, images.cli_image, pod.tracking_image):
        make()
    images.speaking_images()
    pod.moto_layers()
    for packages in (MLSERVER, PYTHON_SERVERS, APPLICATION_SERVERS):
        layers.pip(packages)
    layers.pip(MLSERVER_XGBOOST, dependencies=False)
    with TemporaryDirectory() as folder:
        try:
            images.operator_image(baseline.export(Path(folder)))
        except baseline.NoBaseline as missing:
            print(f"no layers of the previous release: {missing}", file=sys.stderr)


if __name__ == "__main__":
    main()
