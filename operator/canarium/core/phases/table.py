"""The phases of a rollout as a table: the first row whose facts hold decides.

Theory of operation
===================

There is no stored state machine. Every decision begins with the facts of one moment (the spec, what
the API server holds, the last status) and asks the rows below from top to bottom. The first row
whose `when` holds names the phase, and its `then` decides what to write. A restart, a lost status
and a new spec are therefore the same case: some row always holds, because the last one does.

Two terms define the table:

* **stable** is the revision that owns production traffic. The object that splits traffic (the
  callers' Service, or the route in front of it) names it in an annotation, which changes in the
  same write as selector or weights, so it is correct after a crash between any two writes (R18).
* **target** is the revision that the spec asks for. It is *quarantined* once it has failed (R9).

From these follow the rows:

1. *Invalid* is first because it excludes the others: nothing of the target runs, and it cannot be
   created (R21, R24). Stable keeps serving.
2. *Failed* and *Starting*: there is no stable yet (R3). The Service selects nothing until the first
   version has passed its tests; when it fails, there is nothing to roll back to.
3. *RollingBack* and *RolledBack*: stable and target differ, and the target is quarantined. Traffic
   first, pods later (R8).
4. *Progressing*: stable and target differ, and nothing is wrong. Capacity before weight (R5), tests
   before traffic (R4), judged at every moment (R7, R17); one write promotes (R14).
5. *Baking*: stable is the target, and the previous version is kept warm for an undo (R15).
6. *Degraded* and *Ready*: stable is the target, and nothing else is left to do.

What no row may do
------------------

* move traffic from a revision with ready pods to one without (R0);
* decide by a message, as messages are for people (R30);
* keep anything in memory: a fact that a later decision needs is written to the cluster, in the same
  write as its effect where that moves traffic (R18).

What is added to the result of a row
------------------------------------

Some facts may occur in any phase: an outage, a rejected write, pods that cannot start, a finalizer
that blocks a deletion. No row considers them: `core.phases.reports` adds them to its result. `then`
may return another phase than that of its row where a decision ends it (`PhaseResult.phase`).

`then_to` lists the phases that may follow while the spec is unchanged; tests compare every
simulated rollout with it, and docs/reference/phases.md is generated from this table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from canarium.api.states import Phase
from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.phases.baking import baking
from canarium.core.phases.degraded import degraded, is_degraded
from canarium.core.phases.failed import failed
from canarium.core.phases.invalid import invalid, is_invalid
from canarium.core.phases.progressing import progressing
from canarium.core.phases.ready import ready
from canarium.core.phases.rolled_back import rolled_back
from canarium.core.phases.rolling_back import rolling_back
from canarium.core.phases.starting import starting


@dataclass(frozen=True)
class Row:
    """A phase: the facts that define it, what is done in it (as code and as text), and the phases
    that may follow while the spec is unchanged."""

    phase: Phase
    facts: str
    does: str
    then_to: tuple[Phase, ...]
    when: Callable[[RolloutContext], bool]
    then: Callable[[RolloutContext], PhaseResult]


TABLE: tuple[Row, ...] = (
    Row(
        Phase.INVALID,
        "The API server or a lookup rejects the spec, and none of its pods run.",
        "Only stable serves. Conditions report the reason, and the operator retries every 30 s.",
        (Phase.STARTING, Phase.FAILED, Phase.PROGRESSING, Phase.ROLLED_BACK, Phase.READY),
        when=is_invalid,
        then=invalid,
    ),
    Row(
        Phase.FAILED,
        "The target revision has failed, and there is no other to roll back to.",
        "The operator keeps its pods for debugging; they serve if no other version does. A new "
        "spec or a retry replaces it.",
        (Phase.STARTING, Phase.PROGRESSING, Phase.INVALID),
        when=lambda ctx: ctx.stable is None and ctx.quarantined,
        then=failed,
    ),
    Row(
        Phase.STARTING,
        "There is no stable version yet.",
        "The operator stores the revision, creates its Deployment and runs its smoke tests. Then "
        "one write moves all traffic to it.",
        (
            Phase.READY,
            Phase.PROGRESSING,
            Phase.BAKING,
            Phase.DEGRADED,
            Phase.ROLLING_BACK,
            Phase.FAILED,
            Phase.INVALID,
        ),
        when=lambda ctx: ctx.stable is None,
        then=starting,
    ),
    Row(
        Phase.ROLLING_BACK,
        "The target revision has failed, and its Deployment still exists.",
        "Once stable has a ready pod, one write returns the traffic to it and quarantines the "
        "failed revision. Then the pods of the failed revision are deleted.",
        (Phase.ROLLED_BACK, Phase.PROGRESSING, Phase.INVALID),
        when=lambda ctx: (
            ctx.target != ctx.stable
            and ctx.quarantined
            and ctx.observed.deployment(ctx.target) is not None
        ),
        then=rolling_back,
    ),
    Row(
        Phase.ROLLED_BACK,
        "The target revision has failed, and its Deployment is deleted.",
        "Stable serves. The failed revision stays quarantined until a new spec or a retry.",
        (Phase.PROGRESSING, Phase.INVALID),
        when=lambda ctx: ctx.target != ctx.stable and ctx.quarantined,
        then=rolled_back,
    ),
    Row(
        Phase.PROGRESSING,
        "The spec asks for another revision than stable.",
        "The operator stores the revision, creates its Deployment and runs its smoke tests. Before "
        "each weight it scales up and waits until the pods are ready; the analysis runs "
        "continuously. One write promotes the revision. A revision that was promoted before skips "
        "the steps. The rollout waits while the model is scaled to zero.",
        (
            Phase.BAKING,
            Phase.READY,
            Phase.DEGRADED,
            Phase.ROLLING_BACK,
            Phase.ROLLED_BACK,
            Phase.FAILED,
            Phase.INVALID,
        ),
        when=lambda ctx: ctx.target != ctx.stable,
        then=progressing,
    ),
    Row(
        Phase.BAKING,
        "Stable is what the spec asks for, and the previous revision is still warm.",
        "The analysis runs continuously. The previous revision serves while stable has no ready "
        "pod. After a failure, an undo, or a long or repeated outage, one write returns the "
        "traffic to the previous revision as soon as that has a ready pod. When the bake ends, the "
        "previous revision is deleted.",
        (Phase.READY, Phase.DEGRADED, Phase.ROLLING_BACK),
        when=lambda ctx: ctx.previous is not None,
        then=baking,
    ),
    Row(
        Phase.DEGRADED,
        "Stable is what the spec asks for, and has no ready endpoint.",
        "The message names the pod, the container, its exit code and its last log line. The "
        "operator corrects drift and moves traffic to the first version with ready pods.",
        (Phase.READY, Phase.PROGRESSING, Phase.STARTING, Phase.BAKING, Phase.ROLLING_BACK),
        when=is_degraded,
        then=degraded,
    ),
    Row(
        Phase.READY,
        "Stable is what the spec asks for, and nothing else is warm.",
        "The operator corrects drift and deletes obsolete objects. While a version that became "
        "stable because no other one served owes pauses or gates, the phase is Progressing.",
        (Phase.DEGRADED, Phase.STARTING),
        when=lambda ctx: True,
        then=ready,
    ),
)
