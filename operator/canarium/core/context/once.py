"""Caches what is derived from a context, in the context itself: attributes and functions of it.

A context never changes, and a decision asks some questions dozens of times.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")
F = TypeVar("F")


class cached_property(Generic[T]):
    """The class of `functools`, without the lock that it has before Python 3.12."""

    def __init__(self, function: Callable[[Any], T]) -> None:
        self._function, self._name = function, function.__name__
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, facts: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, facts: object, owner: type[object]) -> T: ...
    def __get__(self, facts: object | None, owner: type[object]) -> Self | T:
        if facts is None:
            return self
        value = vars(facts)[self._name] = self._function(facts)
        return value


def once(function: Callable[[F], T]) -> Callable[[F], T]:
    """Returns `function`, computed once for each context. Its result must not depend on the
    progress of the candidate (see `RolloutContext.advanced`)."""
    name = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def computed_once(facts: F) -> T:
        results = vars(facts)
        if name not in results:
            results[name] = function(facts)
        result: T = results[name]
        return result

    return computed_once
