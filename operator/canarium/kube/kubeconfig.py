"""Loads the client configuration: in-cluster, or from a kubeconfig."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kubernetes.aio import config as kube_config
from kubernetes.aio.client import Configuration

_IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


async def load(kubeconfig: str | None, context: str | None) -> Any:
    """Returns the named kubeconfig's configuration, else the in-cluster one, else the default one.

    A cluster's `proxy-url` and `tls-server-name` are part of it. Raises ConfigException.
    """
    configuration = Configuration()
    if not (kubeconfig or context):
        try:
            kube_config.load_incluster_config(client_configuration=configuration)
            return configuration
        except kube_config.ConfigException:
            pass
    await kube_config.load_kube_config(
        config_file=kubeconfig, context=context, client_configuration=configuration
    )
    return configuration


def default_namespace(kubeconfig: str | None, context: str | None) -> str:
    """Returns the namespace that kubectl would use: the context's, else the pod's, else default.

    Raises ConfigException for a context that does not exist.
    """
    if not (kubeconfig or context) and _IN_CLUSTER.exists():
        return _IN_CLUSTER.read_text().strip()
    contexts, current = kube_config.list_kube_config_contexts(config_file=kubeconfig)
    if context is None:
        chosen = current
    else:
        chosen = next((one for one in contexts if one["name"] == context), None)
        if chosen is None:
            raise kube_config.ConfigException(f"context {context} does not exist")
    namespace: str | None = (chosen["context"] if chosen else {}).get("namespace")
    return namespace or "default"
