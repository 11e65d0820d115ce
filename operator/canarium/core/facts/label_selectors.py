"""Label selectors, as Kubernetes evaluates them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Labels = Mapping[str, Any]


def selects(selector: Mapping[str, Any], labels: Labels) -> bool:
    """Returns whether a LabelSelector selects `labels`; an empty one selects everything."""
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(one, labels) for one in selector.get("matchExpressions") or ())


def _holds(expression: Mapping[str, Any], labels: Labels) -> bool:
    key, values = expression.get("key"), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return labels.get(str(key)) in values
        case "NotIn":
            return labels.get(str(key)) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False
