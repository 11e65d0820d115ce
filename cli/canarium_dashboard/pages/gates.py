"""Gates: which a person may decide about, the confirmation, and the write of a decision.

About a gate with a Job, a person decides only whether the Job is run again. For the others, the
page asks RBAC as the admission policy does, so that it offers only what the API server accepts.
The policy decides (R27).
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from canarium import GROUP
from canarium.api.states import GateKind, GateState
from canarium.view.commands import COMMANDS, annotation_of
from canarium.view.model import gates
from canarium.view.objects import Raw, part, text
from canarium.view.revisions import target_of
from canarium_dashboard import paths
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.api import ApiFault
from canarium_dashboard.dashboard import Dashboard
from canarium_dashboard.pages.answers import page
from canarium_dashboard.pages.commands import MANAGER, TOKEN, Offer, line, sent
from canarium_dashboard.security import Forgery, form
from canarium_dashboard.sent import SentCommand

#: What each decision does, for its button, by the kind of the gate.
LABELS = {
    GateKind.APPROVAL: {"approve": "Approve at gate {}", "reject": "Reject at gate {}"},
    GateKind.JOB: {"rerun": "Run the Job of gate {} again"},
}
#: Longest comment that the operator keeps whole.
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision that a person asks for, about a gate that waits."""

    namespace: str
    name: str
    command: str
    gate: str
    kind: str
    revision: str
    model: Raw

    @property
    def label(self) -> str:
        """The text of its button."""
        return _labels(self.kind)[self.command].format(self.gate)

    @property
    def is_approval(self) -> bool:
        """Whether the decision has the name of a person and a comment."""
        return self.kind == GateKind.APPROVAL

    def line(self, dashboard: Dashboard, token: str, user: str) -> str:
        """Returns the kubectl line for the decision."""
        return _line(dashboard, self.model, self.command, self.revision, self.gate, token, user)


async def offers(dashboard: Dashboard, identity: Identity, model: Raw) -> dict[str, list[Offer]]:
    """Returns the decisions that this person may make now, by gate; none unless actions are
    enabled."""
    meta, revision = part(model, "metadata"), target_of(model)
    namespace, name = text(meta, "namespace"), text(meta, "name")
    if not (dashboard.settings.actions and revision):
        return {}
    user = dashboard.name_of(identity)
    return {
        gate: [
            Offer(
                command,
                label.format(gate),
                revision,
                _line(dashboard, model, command, revision, gate, "TOKEN", user),
            )
            for command, label in _labels(kind).items()
        ]
        for gate, kind in _waiting(model).items()
        if _labels(kind) and await _may(dashboard, identity, namespace, name, gate, kind)
    }


async def confirm(dashboard: Dashboard, request: Request, identity: Identity) -> Response:
    """Shows what a decision would do, and asks for a comment and a confirmation."""
    decision = await _requested(dashboard, request, identity)
    token = secrets.token_hex(8)
    return page(
        request,
        "confirm.html",
        identity,
        namespace=decision.namespace,
        name=decision.name,
        command=decision.command,
        action=f"gates/{decision.gate}/{decision.command}",
        longest_comment=_LONGEST if decision.is_approval else 0,
        label=decision.label,
        revision=decision.revision,
        token=token,
        effect=COMMANDS[decision.command].traffic(decision.model),
        line=decision.line(dashboard, token, await dashboard.reads.user(identity)),
    )


async def give(dashboard: Dashboard, request: Request, identity: Identity) -> Response:
    """Gives a decision, in the name of this person and for the revision that was confirmed."""
    fields = await form(request)
    if not dashboard.csrf.check(identity, fields.get("csrf", "")):
        raise Forgery("The form is out of date, or it is not one of yours.")
    token, comment = fields.get("token", ""), fields.get("comment", "").strip()
    if not TOKEN.fullmatch(token):
        raise Forgery("The form has no token.")
    if len(comment) > _LONGEST:
        raise ApiFault(
            422, f"The comment has {len(comment)} characters; at most {_LONGEST} are kept."
        )
    decision = await _requested(dashboard, request, identity)
    if fields.get("revision", "") != decision.revision:
        raise ApiFault(
            409,
            f"You confirmed {decision.command} for revision {fields.get('revision', '')}, and the "
            f"model is at revision {decision.revision} now. Nothing was changed.",
        )
    unique = f"{decision.gate}:{token}"
    key, value = annotation_of(decision.command, decision.revision, unique)
    annotations: dict[str, str | None] = {key: value}
    if decision.is_approval:
        annotations |= {
            f"{GROUP}/approval-by": await dashboard.reads.user(identity) or None,
            f"{GROUP}/approval-comment": comment or None,
        }
    body = {"metadata": {"annotations": annotations}}
    where = paths.model(decision.namespace, decision.name)
    await dashboard.api.patch(identity, where, body, MANAGER)
    command = SentCommand(decision.command, decision.revision, unique)
    return sent(dashboard, identity, decision.namespace, decision.name, command)


async def _requested(dashboard: Dashboard, request: Request, identity: Identity) -> Decision:
    """Raises ApiFault unless the decision is enabled, known and allowed, and its gate waits."""
    words = ("namespace", "name", "gate", "command")
    namespace, name, gate, command = (request.path_params[word] for word in words)
    if not dashboard.settings.actions:
        raise ApiFault(403, "Actions are not enabled in this dashboard (--actions).")
    if not any(command in labels for labels in LABELS.values()):
        raise ApiFault(404, f"There is no decision {command}.")
    model = await dashboard.api.get(identity, paths.model(namespace, name))
    revision = target_of(model)
    kind = _waiting(model).get(gate, "")
    if not revision or command not in _labels(kind):
        what = "gate with a Job" if command in LABELS[GateKind.JOB] else "approval gate"
        raise ApiFault(409, f"No {what} {gate} of the model {name} waits for a decision.")
    if not await _may(dashboard, identity, namespace, name, gate, kind):
        verbs = "verbs patch and approve" if kind == GateKind.APPROVAL else "verb patch"
        raise ApiFault(
            403,
            f"You may not decide about gate {gate} of modeldeployment/{name} in {namespace}: that "
            f"requires the {verbs}.",
        )
    return Decision(namespace, name, command, gate, kind, revision, model)


def _labels(kind: str) -> Mapping[str, str]:
    return next((labels for known, labels in LABELS.items() if known == kind), {})


def _waiting(model: Raw) -> dict[str, str]:
    """Returns the kinds of the gates that wait, by name."""
    return {gate.name: gate.kind for gate in gates(model) if gate.state == GateState.WAITING}


async def _may(
    dashboard: Dashboard, identity: Identity, namespace: str, name: str, gate: str, kind: str
) -> bool:
    """Whether this person may decide about a gate: about all of the model, or about this one."""
    may = dashboard.reads.may
    return await may(identity, "patch", namespace, name) and (
        kind == GateKind.JOB
        or await may(identity, "approve", namespace, name)
        or await may(identity, "approve", namespace, name, subresource=gate)
    )


def _line(
    dashboard: Dashboard,
    model: Raw,
    command: str,
    revision: str,
    gate: str,
    token: str,
    user: str,
) -> str:
    meta = part(model, "metadata")
    namespace, name = text(meta, "namespace"), text(meta, "name")
    one = line(dashboard, namespace, name, command, revision, f"{gate}:{token}")
    if command in LABELS[GateKind.JOB]:
        return one
    by = f"{GROUP}/approval-by={user}" if user else f"{GROUP}/approval-by-"
    return f"{one} {shlex.join([by, f'{GROUP}/approval-comment-'])}"
