"""Limits how many scraped values are kept, divided between namespaces."""

from __future__ import annotations

#: Values of one revision's window. The analysis visits each once per selector: some 10 ms for all.
MOST_OF_A_WINDOW = 20_000
#: Values of all windows together, some 100 bytes each.
MOST = 400_000


class SampleBudget:
    """The values that each model keeps; at the limit, the largest namespace yields."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[tuple[str, str], int]] = {}

    def note(self, namespace: str, model: str, revision: str, values: int) -> None:
        """Notes how many values the window of `revision` has."""
        counts = self._counts.setdefault(namespace, {})
        counts[model, revision] = values

    def forget(self, namespace: str, model: str) -> None:
        """Frees the budget of a model."""
        counts = self._counts.get(namespace, {})
        for key in [key for key in counts if key[0] == model]:
            del counts[key]
        if not counts:
            self._counts.pop(namespace, None)

    def room(self, namespace: str, model: str, revision: str) -> int:
        """Returns how many values the window may have. Free budget serves the first caller; without
        any, a namespace is limited to its share."""
        totals = {name: sum(counts.values()) for name, counts in self._counts.items()}
        own = self._counts.get(namespace, {}).get((model, revision), 0)
        others = totals.get(namespace, 0) - own
        free = MOST - (sum(totals.values()) - own)
        share = MOST // max(1, len(totals.keys() | {namespace})) - others
        return max(0, min(MOST_OF_A_WINDOW, max(free, share)))
