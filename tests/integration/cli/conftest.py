"""The command line beside the cluster of tests/integration."""

from __future__ import annotations

import pytest

from integration.cli.program import Program
from integration.conftest import Cluster


@pytest.fixture
def program(cluster: Cluster) -> Program:
    """The command line in the namespace of the test, as an administrator."""
    return Program(cluster.plane.kubeconfig, cluster.namespace)
