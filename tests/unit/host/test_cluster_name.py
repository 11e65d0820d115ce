"""The name of the cluster in the tags of registries."""

from __future__ import annotations

import pytest

from canarium.config import Config


@pytest.mark.parametrize("name", ["", "p", "prod-eu", "gke_prod_eu-west1.a", "a" * 63])
def test_name_is_accepted_that_a_tag_may_contain(name: str) -> None:
    assert Config(cluster_name=name).cluster_name == name


@pytest.mark.parametrize("name", ["prod eu", "prod/eu", "-prod", "prod.", "a" * 64, "prod\n", "é"])
def test_other_name_is_refused_with_what_is_right(name: str) -> None:
    with pytest.raises(ValueError, match=r"--cluster-name .* must be 1 to 63 letters"):
        Config(cluster_name=name)
