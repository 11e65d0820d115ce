"""Models of the MLflow server in the stores' pod: versions behind the server, and in its bucket."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from support.stores.pod import Stores
from support.tracking import TrackingServer

SIGNATURE = b'signature:\n  inputs: \'[{"name": "amount", "type": "double"}]\'\n'
#: More than the server answers before it dies.
LARGE = b"0123456789abcdef" * (1 << 19)


def register(stores: Stores) -> None:
    """Logs and registers what the models of the tests name."""
    way = stores.node.forward(stores.tracking.removeprefix("http://"))
    try:
        server = TrackingServer(way.url)
        proxied = server.experiment("proxied")
        bucket = server.experiment("bucket", artifact_location="s3://mlflow/bucket")
        model = {"version": b"one", "data/weights": b"w" * 1000, "MLmodel": SIGNATURE}
        _log(stores, server, "fraud", proxied, model, alias="champion")
        # A run that has logged no model.
        _log(stores, server, "fraud", proxied, {})
        _log(stores, server, "bucket", bucket, model)
        _log(stores, server, "large", proxied, {"version": b"one", "large.bin": LARGE})
        for number in (b"one", b"two", b"three", b"four"):
            alias = "" if number != b"one" else "champion"
            _log(stores, server, "quick", proxied, {"version": number}, alias)
    finally:
        way.close()


def _log(
    stores: Stores,
    server: TrackingServer,
    name: str,
    experiment: str,
    files: Mapping[str, bytes],
    alias: str = "",
) -> None:
    """Logs a run with `files`, and registers it as the next version of a model."""
    run, folder = server.run(experiment)
    where = urlsplit(folder)
    for path, content in files.items():
        if where.scheme == "s3":
            # As MLflow's client does, which writes to the bucket itself.
            stores.put(f"{where.netloc}{where.path}/model/{path}", content)
        else:
            server.put(f"{where.path.lstrip('/')}/model/{path}", content)
    server.register(name, f"{folder}/model", run, alias)
