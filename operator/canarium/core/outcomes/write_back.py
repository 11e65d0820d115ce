"""Which state of a version the registry should show, whether it does, and what is reported (R26).

The wanted state of every version follows from the records and the traffic alone, and the last state
that was written is on the record. Their difference is the request, so that no outcome is lost if
the operator restarts, another one leads, or the registry is away; and writing a tag twice changes
nothing. Nothing waits for it.

A version has several records if its pods were changed: the one that serves decides, or else the
newest that has ended.
"""

from __future__ import annotations

from canarium.api.reasons import ConditionReason, ConditionType
from canarium.api.states import RegistryState
from canarium.api.uri import UriInvalid, parse
from canarium.core.context.context import RolloutContext
from canarium.core.decision.plan import Action, AnnotateRevision
from canarium.core.facts.revision import QUARANTINED, Record
from canarium.core.facts.write_back import TagRequest
from canarium.core.outcomes.failures import stored_failure
from canarium.core.times import stamp

#: Annotation of a record with the last state that was written and when, without the prefix.
NOTE = "tagged"
Fact = tuple[str, bool, str, str]


def wanted(ctx: RolloutContext) -> TagRequest | None:
    """Returns the next tag to write; None if the registry has all of them, or none is asked for."""
    model = ctx.spec.get("model") or {}
    settings = model.get("writeBack")
    if settings is None or not model.get("endpoint"):
        return None
    own = (settings.get("credentials") or {}).get("secretName")
    secret = own or (model.get("credentials") or {}).get("secretName")
    for uri, record in _by_version(ctx, model["endpoint"]):
        state = _state(ctx, record)
        if state and _written(ctx, uri, model["endpoint"]) != (record.revision, state):
            text = _text(ctx, record, state)
            return TagRequest(record.revision, uri, model["endpoint"], secret, state, text)
    return None


def recorded(ctx: RolloutContext) -> list[Action]:
    """Returns the annotation of the record whose state the registry has accepted."""
    result = ctx.observed.tag
    if result is None or result.reason or result.request != wanted(ctx):
        return []
    note = f"{result.request.state}/{stamp(ctx.now)}"
    return [AnnotateRevision(result.request.revision, ((NOTE, note),))]


def reported(ctx: RolloutContext) -> tuple[Fact, ...]:
    """Returns the condition RegistryTagged; () if no tag is asked for, or none was due so far.

    Before the first answer for a tag, the last condition stands.
    """
    model = ctx.spec.get("model") or {}
    if model.get("writeBack") is None:
        return ()
    kind, request, result = ConditionType.REGISTRY_TAGGED, wanted(ctx), ctx.observed.tag
    if request and result and result.request == request and result.reason:
        text = f"spec.model.writeBack: {result.message}; the operator retries"
        return ((kind, False, result.reason, text),)
    if request:
        old = next((c for c in ctx.status.conditions if c.type == kind), None)
        return ((kind, old.status == "True", old.reason, old.message),) if old else ()
    versions = _by_version(ctx, model.get("endpoint") or "")
    if not versions:
        return ()
    uri, record = versions[0]
    text = f"the registry shows {uri} as {_state(ctx, record)}"
    return ((kind, True, ConditionReason.TAGS_WRITTEN, text),)


def _by_version(ctx: RolloutContext, endpoint: str) -> list[tuple[str, Record]]:
    """Returns each version with a state and the record that decides it: what serves first, then
    the newest."""
    deciding: dict[str, Record] = {}
    for record in sorted(ctx.observed.records, key=lambda record: record.number):
        uri = _version(record, endpoint)
        if uri is None or _state(ctx, record) is None:
            continue
        if uri not in deciding or deciding[uri].revision != ctx.stable:
            deciding[uri] = record
    order = sorted(deciding.items(), key=lambda x: (x[1].revision != ctx.stable, -x[1].number))
    return list(order)


def _version(record: Record, endpoint: str) -> str | None:
    """Returns the URI of the registered version of a record, if it is one of this registry."""
    uri = record.resolved or record.uri or ""
    try:
        address = parse(uri)
    except UriInvalid:
        return None
    numbered = address.scheme == "mlflow" and not address.moves and "/" not in address.path
    return uri if numbered and record.endpoint == endpoint else None


def _state(ctx: RolloutContext, record: Record) -> RegistryState | None:
    """Returns how a revision stands; None while nothing is decided about it."""
    if record.revision == ctx.stable and not ctx.takeover:
        return RegistryState.PROMOTED
    if record.verdict == QUARANTINED:
        return RegistryState.ROLLED_BACK if record.after else RegistryState.FAILED
    return RegistryState.REPLACED if record.revision in ctx.promoted_revisions else None


def _written(ctx: RolloutContext, uri: str, endpoint: str) -> tuple[str, str] | None:
    """Returns the revision and the state that were written last for a version."""
    notes = [
        (time, record.revision, state)
        for record in ctx.observed.records
        if record.tagged and _version(record, endpoint) == uri
        for state, _, time in (record.tagged.partition("/"),)
    ]
    return max(notes)[1:] if notes else None


def _text(ctx: RolloutContext, record: Record, state: RegistryState) -> str:
    """Returns the reason of a state as a text."""
    failure = stored_failure(record)
    if state in (RegistryState.ROLLED_BACK, RegistryState.FAILED):
        text = f"{failure.reason}: {failure.message}" if failure else "the cause is not recorded"
        return f"{text} (revision {record.revision})"
    if state is RegistryState.REPLACED:
        return f"another version was promoted after revision {record.revision}"
    since = ctx.traffic.record.promoted_at
    return f"revision {record.revision}" + (f", promoted at {since}" if since else "")
