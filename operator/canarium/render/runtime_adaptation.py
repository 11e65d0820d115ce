"""Adapts the built-in runtimes to a cluster: a mirror of images, or assigned ids of users.

Runtimes of users and administrators name their images and users themselves, and stay as they are.
Like an edited runtime, an adapted one changes no running pod (R1).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from canarium.api.runtime import BUILT_IN
from canarium.render.runtime_catalog import RuntimeTemplate, built_in

#: The name of a registry at the beginning of a reference: it has a dot or a port, or is localhost.
_HOST = re.compile(r"^(?:[^/]*[.:][^/]*|localhost)/")
_USER_IDS = ("runAsUser", "runAsGroup", "fsGroup")


def adapted(registry: str = "", *, user_ids: bool = True) -> Mapping[str, RuntimeTemplate]:
    """Returns the built-in runtimes with their images in another `registry`, such as
    `registry.acme.test/mirror`, and without ids of users and groups unless `user_ids`."""
    if not registry and user_ids:
        return built_in()
    runtimes = {}
    for name, runtime in built_in().items():
        spec = copy.deepcopy(dict(runtime.spec))
        if registry and spec.get("image"):
            spec["image"] = f"{registry}/{_HOST.sub('', spec['image'])}"
        if not user_ids:
            _drop_user_ids(spec)
        runtimes[name] = RuntimeTemplate(BUILT_IN, name, spec)
    return runtimes


def _drop_user_ids(spec: dict[str, Any]) -> None:
    pod = (spec.get("podTemplate") or {}).get("spec") or {}
    for part in (pod, *(pod.get("containers") or ())):
        for key in _USER_IDS:
            (part.get("securityContext") or {}).pop(key, None)
