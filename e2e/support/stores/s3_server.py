"""An S3 server in a pod: moto, which begins with the models below and forgets all else.

`READER` may read, `WRITER` may do everything. The first fetch of `large.bin` ends halfway, because
the server dies; FLAG, on the pod's own volume, records that it has.
"""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
from werkzeug.test import Client

FLAG = Path("/flag/died")
#: Ranges of `large.bin` that are answered before the death.
ANSWERED = 3
LARGE = b"0123456789abcdef" * (6 << 20)
FORBIDDEN = (
    b'<?xml version="1.0"?><Error><Code>InvalidAccessKeyId</Code>'
    b"<Message>The key that was shown does not exist.</Message></Error>"
)


def signed(key: str) -> dict[str, str]:
    scope = f"Credential={key}/20260101/us-east-1/s3/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}


def put(application: Any, path: str, content: bytes = b"") -> None:
    headers = {**signed("WRITER"), "Content-Type": "application/octet-stream"}
    answer = Client(application).put(
        f"/{path}", data=content, headers=headers, base_url="http://s3"
    )
    assert answer.status_code == 200, answer.data


def main() -> None:
    moto = DomainDispatcherApplication(create_backend_app)
    put(moto, "models")
    put(moto, "mlflow")
    for name in ("fraud", "swapped"):
        put(moto, f"models/{name}/version", b"one")
        put(moto, f"models/{name}/sub/weights", b"w" * 1000)
    put(moto, "models/large/large.bin", LARGE)
    put(moto, "models/large/version", b"one")
    put(moto, "models/sklearn/model.joblib", Path("/app/model.joblib").read_bytes())
    # Unpacks to 48 MB: not a decompression bomb, but too large for a small disk.
    put(moto, "models/wide.tar.gz", Path("/app/wide.tar.gz").read_bytes())
    requests = 0

    def guarded(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        nonlocal requests
        shown = environ.get("HTTP_AUTHORIZATION", "")
        reads = environ["REQUEST_METHOD"] in ("GET", "HEAD")
        if "Credential=WRITER/" not in shown and not (reads and "Credential=READER/" in shown):
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [FORBIDDEN]
        if environ["PATH_INFO"].endswith("/large.bin") and environ["REQUEST_METHOD"] == "GET":
            requests += 1
            if requests > ANSWERED and not FLAG.exists():
                FLAG.touch()
                print("dies now", file=sys.stderr, flush=True)
                os._exit(1)
        answer: Iterable[bytes] = moto(environ, start)
        return answer

    run_simple("0.0.0.0", 9000, guarded, threaded=True)


if __name__ == "__main__":
    main()
