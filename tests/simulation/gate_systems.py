"""The systems that web gates ask: what they answer, and what they have ever answered."""

from __future__ import annotations

import asyncio

from canarium.core.facts.gate_answers import AnswerState, GateAnswer, GateRequest
from canarium.sources.registries import Key
from simulation.summary import EXPLORED

#: An answer that does not arrive before the request times out.
LOST = "lost"


class GateSystems:
    """Stands in for `canarium.sources.web_gates.GateClient`."""

    def __init__(self) -> None:
        self.answer: str = AnswerState.PENDING
        self.latency = 0.05
        #: Revision and gate of every positive and every negative answer that was sent.
        self.passed: set[tuple[str, str]] = set()
        self.rejected: set[tuple[str, str]] = set()
        #: Those whose result the operator has recorded, and those asked about after that.
        self.recorded: set[tuple[str, str]] = set()
        self.repeated: list[tuple[str, str]] = []

    async def ask(self, key: Key, request: GateRequest) -> GateAnswer:
        EXPLORED["questions of gates"] += 1
        answer, about = self.answer, (request.revision, request.gate)
        if about in self.recorded:
            self.repeated.append(about)
        await asyncio.sleep(self.latency)
        if answer == AnswerState.PASSED:
            self.passed.add(about)
        if answer == AnswerState.REJECTED:
            self.rejected.add(about)
        if answer == LOST:
            # The system has decided; its answer never arrives.
            await asyncio.sleep(10.0)
            answer = AnswerState.MISSING
        state = AnswerState(answer)
        missing = state is AnswerState.MISSING
        reason, text = ("QueryFailed", "status 500") if missing else ("", "")
        return GateAnswer(request, state, "https://risk.example", text, reason)
