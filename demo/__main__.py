"""`python -m demo`: creates the cluster and runs the story; exits 0 if every expectation held."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from demo.images import model_images, train
from demo.presenting import Show, present
from demo.versions import MANIFEST, NAMESPACE, Versions

SHOW = Show(
    name="demo",
    summary="Good and bad versions of a model.",
    duration="about two minutes",
    namespace=NAMESPACE,
    manifest=MANIFEST,
    images=lambda: model_images(train()),
    story=Versions,
)


def main(words: Sequence[str]) -> int:
    """The exit code."""
    return present(SHOW, words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
