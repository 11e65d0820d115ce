"""Evaluates the CEL rules of the CRDs, as the API server does at apply."""

from __future__ import annotations

import pickle
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

import celpy
from celpy import celtypes
from celpy.adapter import json_to_cel


def holds(rule: str, value: Any) -> bool:
    """Whether `rule` holds for `value`, its `self`.

    Raises celpy.CELEvalError for a value that the rule cannot be applied to.
    """
    return _holds(rule, pickle.dumps(value))


@lru_cache(4096)
def _holds(rule: str, pickled: bytes) -> bool:
    """An evaluation takes milliseconds, and the models of a repository resemble each other."""
    value = json_to_cel(pickle.loads(pickled))
    return bool(_program(rule).evaluate({"self": value}))


@cache
def _program(rule: str) -> celpy.Runner:
    environment = celpy.Environment()
    return environment.program(environment.compile(rule), functions={"isSorted": _is_sorted})


def _is_sorted(values: celtypes.ListType) -> celtypes.BoolType:
    """The list function of Kubernetes: in ascending order, equal neighbours allowed."""
    return celtypes.BoolType(all(a <= b for a, b in pairwise(values)))
