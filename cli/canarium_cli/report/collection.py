"""What a report contains, read with the user's own rights; Secrets are never among it."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from canarium.view.objects import MODEL_LABEL, Raw, items, part, text
from canarium_cli.doctor.examination import findings
from canarium_cli.doctor.facts import ROUTES, Facts
from canarium_cli.exits import CliError, NotLoggedIn
from canarium_cli.kubectl import Kubectl
from canarium_cli.reads import MODELS
from canarium_cli.report.redaction import redacted, redacted_text

#: Kinds that belong to a model. Secrets and ConfigMaps are not read.
_CHILDREN = (
    "deployments.apps",
    "pods",
    "services",
    "horizontalpodautoscalers.autoscaling",
    "poddisruptionbudgets.policy",
    "controllerrevisions.apps",
    "jobs.batch",
    "endpointslices.discovery.k8s.io",
)
_ROUTES = (
    "httproutes.gateway.networking.k8s.io",
    "grpcroutes.gateway.networking.k8s.io",
    "virtualservices.networking.istio.io",
)
#: Lines of each log, the newest ones.
_TAIL, _OPERATOR_TAIL = 1000, 5000


def collected(kubectl: Kubectl, facts: Facts, name: str) -> dict[str, str]:
    """File name → content, redacted; `not-readable.txt` lists what the user may not read.

    Raises CliError if the model itself cannot be read.
    """
    kubectl = kubectl.within(facts.namespace)
    model = kubectl.get(MODELS, name)[0]
    label = f"--selector={MODEL_LABEL}={name}"
    reads: dict[str, Callable[[], str]] = {
        "model.json": partial(_json, model),
        "events.txt": partial(_events, kubectl, name),
        "doctor.json": partial(_json, [one.json() for one in findings(facts)]),
        "versions.json": partial(kubectl.run, "version", "--output=json"),
    }
    for kind in _CHILDREN:
        reads[f"objects/{kind.partition('.')[0]}.json"] = partial(_objects, kubectl, kind, label)
    if text(part(model, "spec", "traffic"), "router") in ROUTES:
        field = f"--field-selector=metadata.name={name}"
        for kind in _ROUTES:
            file = f"objects/{kind.partition('.')[0]}.json"
            reads[file] = partial(_objects, kubectl, kind, field)
    for pod in _pods(kubectl, label):
        reads |= _logs(kubectl, pod)
    for pod in facts["operators"]:
        each, where = text(part(pod, "metadata"), "name"), text(part(pod, "metadata"), "namespace")
        arguments = (kubectl.within(where), each, f"{facts.namespace}/{name}")
        reads[f"operator/{each}.log"] = partial(_operator_log, *arguments)
    return _read(reads)


def _read(reads: dict[str, Callable[[], str]]) -> dict[str, str]:
    with ThreadPoolExecutor(8) as pool:
        pending = {file: pool.submit(each) for file, each in reads.items()}
    files: dict[str, str] = {}
    missing: list[str] = []
    for file, future in pending.items():
        try:
            content = future.result()
            # JSON was redacted by its structure; patterns of texts would break its syntax.
            files[file] = content if file.endswith(".json") else redacted_text(content)
        except CliError as error:
            # For logs alone, it may be the kubelet that rejects the API server.
            if isinstance(error, NotLoggedIn) and not file.endswith(".log"):
                raise
            missing.append(f"{file}: {redacted_text(error.message)}")
    if missing:
        files["not-readable.txt"] = "\n".join(missing) + "\n"
    return files


def _json(value: object) -> str:
    return json.dumps(redacted(value), indent=2, ensure_ascii=False) + "\n"


def _objects(kubectl: Kubectl, kind: str, *words: str) -> str:
    return _json(kubectl.get(kind, *words))


def _pods(kubectl: Kubectl, label: str) -> list[Raw]:
    try:
        return kubectl.get("pods", label)
    except NotLoggedIn:
        raise
    except CliError:
        return []


def _logs(kubectl: Kubectl, pod: Raw) -> dict[str, Callable[[], str]]:
    """The logs of each container, and of the one before where it was restarted."""
    name, status = text(part(pod, "metadata"), "name"), part(pod, "status")
    reads: dict[str, Callable[[], str]] = {}
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in items(status, kind):
            each = text(container, "name")
            words = ("logs", name, f"--container={each}", f"--tail={_TAIL}")
            reads[f"logs/{name}/{each}.log"] = partial(kubectl.run, *words)
            if container.get("restartCount"):
                file = f"logs/{name}/{each}.previous.log"
                reads[file] = partial(kubectl.run, *words, "--previous")
    return reads


def _operator_log(kubectl: Kubectl, pod: str, model: str) -> str:
    """Lines about this model, and warnings that name no model; those of other models are theirs."""
    log = kubectl.run("logs", pod, "--all-containers", f"--tail={_OPERATOR_TAIL}")
    grave = ('"level": "error"', '"level": "warning"', '"level":"error"', '"level":"warning"')
    lines = [
        line
        for line in log.splitlines()
        if model in line or (any(one in line.lower() for one in grave) and "/" not in line)
    ]
    return "\n".join(lines) + "\n"


def _events(kubectl: Kubectl, name: str) -> str:
    """Events of the model and of everything named after it, oldest first."""
    lines = []
    for event in kubectl.get("events"):
        about = part(event, "involvedObject")
        if text(about, "name") == name or text(about, "name").startswith(f"{name}-"):
            at = text(event, "lastTimestamp") or text(event, "eventTime")
            what = f"{text(about, 'kind').lower()}/{text(about, 'name')}"
            kind, reason = text(event, "type"), text(event, "reason")
            lines.append(f"{at} {kind} {reason} {what}: {text(event, 'message')}")
    return "\n".join(sorted(lines)) + "\n"
