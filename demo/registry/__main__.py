"""`python -m demo.registry`: creates the cluster and runs the story; exits 0 if all of it held."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from demo.presenting import Show, present
from demo.registry.images import registry_images
from demo.registry.story import CLUSTER, MANIFEST, NAMESPACE, Registry

SHOW = Show(
    name="demo-registry",
    summary="From training to serving: an alias of a real MLflow server, good and bad versions.",
    duration="about four minutes",
    namespace=NAMESPACE,
    manifest=MANIFEST,
    images=registry_images,
    story=Registry,
    values=(f"clusterName={CLUSTER}",),
    commands=(
        (
            f"kubectl-modeldeploy history fraud -n {NAMESPACE} -o wide",
            "the versions, with run, data and metrics",
        ),
        (
            f"kubectl -n {NAMESPACE} port-forward service/mlflow 5000",
            "MLflow's page: http://127.0.0.1:5000/#/models/fraud",
        ),
    ),
)


def main(words: Sequence[str]) -> int:
    """The exit code."""
    return present(SHOW, words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
