"""The URIs of models, and the names of files in them."""

from __future__ import annotations

import pytest

from canarium.api.uri import Address, UriInvalid, parse
from canarium.fetch.errors import FetchError
from canarium.fetch.paths import inside, safe


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("s3://b/a/c", Address("s3", "b", "a/c")),
        ("s3://b/a/c/", Address("s3", "b", "a/c")),
        ("gs://b", Address("gs", "b", "")),
        ("az://c/m.tar.gz", Address("az", "c", "m.tar.gz")),
        ("hf://o/m@main", Address("hf", "o/m@main", "")),
        ("hf://o/m/sub/", Address("hf", "o/m", "sub")),
        ("https://h:8/a/?X-Sig=1", Address("https", "h:8", "a?X-Sig=1")),
        ("pvc://claim/", Address("pvc", "claim", "")),
        ("oci://r:5000/a/b:1", Address("oci", "r:5000", "a/b:1")),
        (f"oci://r/a@sha256:{'0' * 64}", Address("oci", "r", f"a@sha256:{'0' * 64}")),
        ("mlflow://fraud@champion/", Address("mlflow", "fraud@champion", "")),
        ("mlflow://a.b.fraud%20v2/7", Address("mlflow", "a.b.fraud%20v2", "7")),
        ("mlflow://runs/3f2a/model/m.pkl", Address("mlflow", "runs", "3f2a/model/m.pkl")),
        ("file:///models/a/", Address("file", "", "models/a")),
    ],
)
def test_uri_is_taken_apart(uri: str, address: Address) -> None:
    assert parse(uri) == address


@pytest.mark.parametrize(
    ("uri", "unknown"),
    [
        ("ftp://h/a", True),
        ("models/a", True),
        ("S3://b/a", True),
        ("s3://", False),
        ("s3://b/../c", False),
        ("hf://model", False),
        ("https://user:word@h/a", False),
        ("pvc://Claim/a", False),
        ("oci://registry", False),
        ("file://models/a", False),
        ("mlflow://fraud", False),
        ("mlflow://fraud/latest", False),
        ("mlflow://fraud@champion/MLmodel", False),
        ("mlflow://fraud/7/MLmodel", False),
        ("mlflow://runs/3f2a", False),
        ("mlflow://runs/3f2a/../x", False),
    ],
)
def test_invalid_uri_is_refused_with_the_valid_forms(uri: str, unknown: bool) -> None:
    with pytest.raises(UriInvalid, match=r"known|form|must not") as refused:
        parse(uri)
    assert refused.value.unknown is unknown


@pytest.mark.parametrize("name", ["/a", "..", "a/../b", "", ".", "a\0b", "a\nb", "x" * 300])
def test_name_that_is_not_safe_is_refused(name: str) -> None:
    with pytest.raises(FetchError):
        safe(name)


@pytest.mark.parametrize(
    ("link", "target", "stays"),
    [
        ("a/b", "../c", True),
        ("a/b", "../../c", False),
        ("a", "b/../../c", False),
        ("a", "/c", False),
        ("a", "", False),
        ("a/b/c", "../../d/./e", True),
    ],
)
def test_link_stays_inside(link: str, target: str, stays: bool) -> None:
    assert inside(link, target) is stays


@pytest.mark.parametrize(
    ("uri", "moves"),
    [
        ("mlflow://fraud@champion", True),
        ("mlflow://fraud/7", False),
        ("mlflow://runs/3f2a/model", False),
        ("hf://o/m", True),
        ("hf://o/m@main/a", True),
        ("hf://o/m@4f1c2d9", True),
        (f"hf://o/m@{'4f1c2d9' * 5}12345/a", False),
        ("oci://r/a", True),
        ("oci://r:5000/a/b:1/", True),
        (f"oci://r/a:1@sha256:{'a' * 64}", False),
        ("s3://b/a", False),
    ],
)
def test_moving_reference_is_resolved_before_a_revision_is_stored(uri: str, moves: bool) -> None:
    assert parse(uri).moves is moves
