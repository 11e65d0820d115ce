"""`/metrics` over HTTP or HTTPS."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from canarium.telemetry.http_server import serve
from canarium.telemetry.model_series import ModelSeries
from canarium.telemetry.serving_certificate import ServingCertificate

#: The last line in OpenMetrics.
_END = b"# EOF\n"


def serve_metrics(
    registry: CollectorRegistry,
    host: str,
    port: int,
    models: ModelSeries | None = None,
    certificate: Path | None = None,
) -> AbstractAsyncContextManager[int]:
    """Serves the metrics of `registry`, and those of `models`, while the context is open; yields
    the port (0: a free one).

    `certificate` is a folder with `tls.crt` and `tls.key`: the metrics are then served over HTTPS.
    As in other exporters, each query parameter `name[]` selects the samples of one name.

    Raises OSError when the port is taken, or the certificate cannot be used.
    """
    tls = ServingCertificate(certificate).context if certificate else None

    async def answer(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        names = frozenset(request.query.getall("name[]", ()))
        body: bytes = encode(registry.restricted_registry(names) if names else registry)
        if models:
            openmetrics = content_type.startswith("application/openmetrics-text")
            end = _END if openmetrics else b""
            text = await models.text(names, openmetrics=openmetrics)
            body = body.removesuffix(end) + text + end
        return web.Response(body=body, headers={"Content-Type": content_type})

    return serve(host, port, {"/metrics": answer}, tls)
