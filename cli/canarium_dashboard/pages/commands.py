"""Commands: which a person may give, the confirmation, and the write that gives one."""

from __future__ import annotations

import re
import secrets
import shlex
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from canarium.view.commands import COMMANDS, annotation_of
from canarium.view.effective_commands import effective_commands
from canarium.view.objects import Raw, part, text
from canarium.view.revisions import target_of
from canarium_dashboard import paths
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.api import ApiFault
from canarium_dashboard.dashboard import Dashboard
from canarium_dashboard.pages.answers import page
from canarium_dashboard.security import Forgery, form
from canarium_dashboard.sent import SentCommand

#: Who wrote the annotation, in the managedFields and in the audit log.
MANAGER = "canarium-dashboard"
#: The token of a form.
TOKEN = re.compile(r"[0-9a-f]{8,32}")

#: What each command does, for its button.
LABELS = {
    "promote": "Promote: end the current pause",
    "promote-full": "Promote fully: skip all steps",
    "abort": "Abort the rollout",
    "undo": "Undo the promotion",
    "retry": "Retry the failed revision",
    "pause": "Pause",
    "resume": "Resume",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """A command that a page offers, with the kubectl line that does the same."""

    name: str
    label: str
    revision: str
    line: str


async def offers(dashboard: Dashboard, identity: Identity, model: Raw) -> list[Offer]:
    """Returns the commands that this person may give now; none unless actions are enabled."""
    meta, revision = part(model, "metadata"), target_of(model)
    enabled = dashboard.settings.actions and revision
    # Those about gates are offered beside their gates.
    names = [x for x in effective_commands(model) if x in LABELS] if enabled else []
    namespace, name = text(meta, "namespace"), text(meta, "name")
    if not names or not await dashboard.reads.may(identity, "patch", namespace, name):
        return []
    return [
        Offer(x, LABELS[x], revision, line(dashboard, namespace, name, x, revision, "TOKEN"))
        for x in names
    ]


def line(
    dashboard: Dashboard, namespace: str, name: str, command: str, revision: str, token: str
) -> str:
    """Returns the kubectl line for a command."""
    key, value = annotation_of(command, revision, token)
    words = [
        "kubectl",
        *dashboard.settings.kubectl_words,
        f"--namespace={namespace}",
        "annotate",
        "modeldeployments.canarium.dev",
        name,
        f"{key}={value}",
        "--overwrite",
    ]
    return shlex.join(words)


async def confirm(dashboard: Dashboard, request: Request, identity: Identity) -> Response:
    """Shows what a command would do, and asks for a confirmation."""
    namespace, name, command, model = await _requested(dashboard, request, identity)
    revision, token = target_of(model), secrets.token_hex(8)
    return page(
        request,
        "confirm.html",
        identity,
        namespace=namespace,
        name=name,
        command=command,
        action=f"commands/{command}",
        longest_comment=0,
        label=LABELS[command],
        revision=revision,
        token=token,
        effect=COMMANDS[command].traffic(model),
        line=line(dashboard, namespace, name, command, revision, token),
    )


async def give(dashboard: Dashboard, request: Request, identity: Identity) -> Response:
    """Gives a command: writes its annotation, for the revision that was confirmed."""
    fields = await form(request)
    if not dashboard.csrf.check(identity, fields.get("csrf", "")):
        raise Forgery("The form is out of date, or it is not one of yours.")
    namespace, name, command, model = await _requested(dashboard, request, identity)
    revision, token = fields.get("revision", ""), fields.get("token", "")
    if not TOKEN.fullmatch(token):
        raise Forgery("The form has no token.")
    if revision != target_of(model):
        raise ApiFault(
            409,
            f"You confirmed {command} for revision {revision}, and the model is at revision "
            f"{target_of(model) or 'none'} now. Nothing was changed.",
        )
    key, value = annotation_of(command, revision, token)
    body = {"metadata": {"annotations": {key: value}}}
    await dashboard.api.patch(identity, paths.model(namespace, name), body, MANAGER)
    return sent(dashboard, identity, namespace, name, SentCommand(command, revision, token))


def sent(
    dashboard: Dashboard, identity: Identity, namespace: str, name: str, command: SentCommand
) -> Response:
    """Records a command that was sent and returns to the page of the model, which shows it."""
    number = dashboard.sent.record(identity, namespace, name, command)
    target = f"{dashboard.settings.base_path}/models/{namespace}/{name}"
    return RedirectResponse(f"{target}?sent={number}#command", 303)


async def _requested(
    dashboard: Dashboard, request: Request, identity: Identity
) -> tuple[str, str, str, Raw]:
    """Returns namespace, name, command and model of a request. Raises ApiFault unless the command
    is enabled, known and allowed."""
    namespace, name = request.path_params["namespace"], request.path_params["name"]
    command = request.path_params["command"]
    if not dashboard.settings.actions:
        raise ApiFault(403, "Actions are not enabled in this dashboard (--actions).")
    if command not in LABELS:
        raise ApiFault(404, f"There is no command {command}.")
    model = await dashboard.api.get(identity, paths.model(namespace, name))
    if not await dashboard.reads.may(identity, "patch", namespace, name):
        raise ApiFault(403, f"You may not patch modeldeployment/{name} in {namespace}.")
    if not target_of(model):
        raise ApiFault(409, f"The model {name} has no revision yet.")
    return namespace, name, command, model
