"""I12: a fetch brings as many bytes as the model has, from every store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from fetch.conftest import KEYS, S3, Fetcher
from fetch.emulators import ACCOUNT, KEY, azure, gcs, put_gcs
from fetch.relay import relayed
from fetch.test_clouds import _in_azure
from fetch.test_hub import Hub

SIZE = 40_000_000
#: Lists, answers to HEAD and headers of ranges: a part in two hundred, and 100 KB.
SPARE = SIZE // 200 + 100_000


# I12
def test_hub_sends_each_byte_once(fetcher: Fetcher, serve: Callable[[Any], str]) -> None:
    class Large(Hub):
        tree: ClassVar[dict[str, bytes]] = {"weights.safetensors": b"w" * SIZE}
        large: ClassVar[tuple[str, ...]] = ()

    with relayed(serve(type("Served", (Large,), {"asked": []}))) as relay:
        done = fetcher.run("hf://example/fraud", "--endpoint", relay.url)
        assert done.code == 0, done.output
        assert SIZE < relay.received < SIZE + SPARE


def test_s3_sends_each_byte_once(fetcher: Fetcher, s3: S3) -> None:
    s3.put("exactbytes")
    s3.put("exactbytes/fraud/model.bin", b"w" * SIZE)
    with relayed(s3.url) as relay:
        done = fetcher.run("s3://exactbytes/fraud", "--endpoint", relay.url, secret=KEYS)
        assert done.code == 0, done.output
        assert SIZE < relay.received < SIZE + SPARE


def test_google_sends_each_byte_once(fetcher: Fetcher, tmp_path: Path) -> None:
    with gcs(tmp_path) as url, relayed(url) as relay:
        put_gcs(url, "fraud/model.bin", b"w" * SIZE)
        done = fetcher.run("gs://models/fraud", "--endpoint", relay.url)
        assert done.code == 0, done.output
        assert SIZE < relay.received < SIZE + SPARE


def test_azure_sends_each_byte_once(fetcher: Fetcher, tmp_path: Path) -> None:
    with azure(tmp_path) as url, relayed(url) as relay:
        made = "s.create_container('models')"
        _in_azure(f"{made}.upload_blob('fraud/model.bin', b'w' * {SIZE})", url)
        secret = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": KEY}
        done = fetcher.run("az://models/fraud", "--endpoint", relay.url, secret=secret)
        assert done.code == 0, done.output
        assert SIZE < relay.received < SIZE + SPARE
