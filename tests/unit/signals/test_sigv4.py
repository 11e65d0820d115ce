"""AWS Signature Version 4, by the test suite that AWS publishes for its SDKs (aws-c-auth)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from canarium.signals.sigv4 import AwsKeys, SigV4Signer

HOST = "https://example.amazonaws.com"
KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp()
HASHED = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"
FORM = {"Content-Length": "13", "X-Amz-Content-Sha256": HASHED}


def signer(token: str | None = None) -> SigV4Signer:
    return SigV4Signer(AwsKeys("AKIDEXAMPLE", KEY, token), "us-east-1", "service", lambda: NOW)


@pytest.mark.parametrize(
    ("path", "sent", "signature"),
    [
        ("/", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("/example1/example2/../..", "/",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("/./example", "/example",
         "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
        ("//example//", "/example/",
         "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
        ("/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
         "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
         "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
        ("/?Param1=value1", "/?Param1=value1",
         "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
        ("/?ሴ=bar", "/?%E1%88%B4=bar",
         "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
        ("/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
         "/?%E1%88%B4=Value1&Param=Value2&Param-3=Value3",
         "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"),
    ],
)  # fmt: skip
def test_signature_of_a_url_is_the_published_one(path: str, sent: str, signature: str) -> None:
    url, headers = signer().signed("GET", HOST + path, {}, b"")
    assert url == HOST + sent
    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}"
    )
    assert headers["X-Amz-Date"] == "20150830T123600Z"


@pytest.mark.parametrize(
    ("method", "headers", "body", "signature"),
    [
        ("POST", {}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ("GET", {"My-Header1": " value1", "My-Header2": ' "a   b   c" '}, b"",
         "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
        ("POST", {**FORM, "Content-Type": "application/x-www-form-urlencoded"}, b"Param1=value1",
         "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"),
        ("POST", {**FORM, "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
         b"Param1=value1", "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422"),
    ],
)  # fmt: skip
def test_signature_of_headers_and_body_is_the_published_one(
    method: str, headers: dict[str, str], body: bytes, signature: str
) -> None:
    _, sent = signer().signed(method, f"{HOST}/", headers, body)
    assert sent["Authorization"].endswith(f"Signature={signature}")


def test_session_token_is_signed() -> None:
    _, sent = signer(TOKEN).signed("GET", f"{HOST}/", {}, b"")
    assert sent["X-Amz-Security-Token"] == TOKEN
    assert sent["Authorization"].endswith(
        "SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"
    )


def test_headers_of_the_signature_cannot_be_replaced() -> None:
    wrong = {
        "authorization": "Bearer a",
        "HOST": "b",
        "x-amz-date": "c",
        "X-AMZ-Security-Token": "",
    }
    expected = signer(TOKEN).signed("GET", f"{HOST}/", {}, b"")
    assert signer(TOKEN).signed("GET", f"{HOST}/", wrong, b"") == expected


def test_login_and_fragment_of_a_url_are_not_sent() -> None:
    url, sent = signer().signed("GET", "https://me:pw@example.amazonaws.com:443/#part", {}, b"")
    assert (url, sent["Host"]) == (f"{HOST}/", "example.amazonaws.com")


def test_port_that_is_not_the_usual_one_is_part_of_the_host() -> None:
    url, sent = signer().signed("GET", "http://[::1]:8080/x y?q=a+b", {}, b"")
    assert (url, sent["Host"]) == ("http://[::1]:8080/x%20y?q=a%20b", "[::1]:8080")


def test_secrets_are_not_in_its_representation() -> None:
    text = repr(signer(TOKEN))
    assert KEY not in text
    assert TOKEN not in text
