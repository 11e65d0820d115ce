"""Loads the client configuration: in-cluster, or from a kubeconfig."""

from __future__ import annotations

from typing import Any

from kubernetes.aio import config as kube_config
from kubernetes.aio.client import Configuration


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
