"""The end of the log of a pod."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from canarium.view.objects import MODEL_LABEL, items, label, part, text
from canarium_dashboard import paths
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.api import ApiFault
from canarium_dashboard.dashboard import Dashboard
from canarium_dashboard.pages.answers import page

_LINES, _BYTES = 500, 512 * 1024


async def show(dashboard: Dashboard, request: Request, identity: Identity) -> Response:
    """Shows the last lines of one container of a pod of the model."""
    namespace, name = request.path_params["namespace"], request.path_params["name"]
    pod = request.path_params["pod"]
    path = f"{paths.children('Pod', namespace)}/{pod}"
    pod_object = await dashboard.api.get(identity, path)
    if label(pod_object, MODEL_LABEL) != name:
        raise ApiFault(404, f"Pod {pod} is not one of model {name}.")
    spec = part(pod_object, "spec")
    containers = [
        text(c, "name") for c in (*items(spec, "containers"), *items(spec, "initContainers"))
    ]
    container = request.query_params.get("container", "")
    if container not in containers:
        container = "server" if "server" in containers else containers[0] if containers else ""
    previous = request.query_params.get("previous") == "1"
    params = {"container": container, "tailLines": str(_LINES), "limitBytes": str(_BYTES)}
    if previous:
        params["previous"] = "true"
    problem = log = ""
    try:
        log = await dashboard.api.text(identity, paths.log(namespace, pod), **params)
    except ApiFault as fault:
        if fault.status == 401:
            raise
        problem = fault.message
    return page(
        request,
        "logs.html",
        identity,
        namespace=namespace,
        name=name,
        pod=pod,
        containers=containers,
        container=container,
        previous=previous,
        log=log,
        problem=problem,
        lines=_LINES,
    )
