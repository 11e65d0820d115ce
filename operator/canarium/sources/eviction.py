"""Which entry of a bounded memory gives way, fairly between namespaces (R31)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

K = TypeVar("K")


def oldest_of_largest(keys: Iterable[K], namespace: Callable[[K], str]) -> K:
    """Returns the oldest key of the namespace with the most; `keys` are in the order of their age.

    So a namespace that fills the memory displaces its entries only. Raises ValueError without keys.
    """
    ordered = list(keys)
    [(largest, _)] = Counter(map(namespace, ordered)).most_common(1)
    return next(key for key in ordered if namespace(key) == largest)
