"""The work queue: keys of models, each handed to one worker at a time.

Semantics:

- **Deduplication.** A key waits at most once. Adding it again raises its urgency or changes
  nothing, so memory is bounded by the number of keys.
- **One worker per key.** A key that is added while it is worked on is handed out once more after
  `done`, with the highest urgency that it was added with.
- **Order.** By urgency, then round robin between shares, then first in, first out. The share of a
  key is its namespace: at each urgency, a key waits for at most one key of every other namespace
  and for the earlier keys in its
  namespace, however many keys the others have (R31).
- **No starvation.** A key that has waited for longer than the patience of its urgency is overdue.
  Overdue keys get every second turn, or every tenth one while faults wait.
- **Fairness of workers.** With `workers` set, a share is handed a key only while it has fewer keys
  being worked on than there are free workers (the dynamic threshold of shared-memory switches,
  Choudhury and Hahne 1998). One share alone gets half of the workers; n shares that never finish
  get 1/(n + 1) each, and that much stays free for others. Faults count separately: the slow changes
  of a namespace do not use up the workers for its rollbacks.
- **Delays.** Of several delays of a key the earliest counts.
- **Retries.** A failed key is added again after a jittered wait that doubles up to a cap. The cap
  is a few seconds and grows only with the number of keys in its share that fail together.
- **Deferral.** Work that can wait, such as an Event, is deferred while more urgent keys wait, for a
  limited time (`Deferral`).

Reading order: `work_queue`, then `lane` (keys that wait), `delays` (keys that will), `backoff`
(keys that failed), `deferral`.

Invariants: a key is in at most one lane (`WorkQueue._waiting` has it), never in a lane and in
`_working` at the same time, and in `_again` only while in `_working`. Every operation costs O(1) in
the number of keys, except for delays, which are a heap.
"""

from canarium.engine.queue.deferral import Deferral
from canarium.engine.queue.urgency import Urgency
from canarium.engine.queue.work_queue import WorkQueue

__all__ = ["Deferral", "Urgency", "WorkQueue"]
