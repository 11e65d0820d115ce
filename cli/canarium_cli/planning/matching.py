"""Which nodes take a pod, and which quotas count it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Raw = Mapping[str, Any]
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def concerns(quota: Raw, pod: Raw) -> bool:
    """Returns whether a ResourceQuota counts such a pod: by all of its scopes
    (https://kubernetes.io/docs/concepts/policy/resource-quotas/#quota-scopes)."""
    spec = quota.get("spec") or {}
    scopes = {
        "BestEffort": _is_best_effort(pod),
        "NotBestEffort": not _is_best_effort(pod),
        "Terminating": pod.get("activeDeadlineSeconds") is not None,
        "NotTerminating": pod.get("activeDeadlineSeconds") is None,
        "CrossNamespacePodAffinity": _reaches_other_namespaces(pod),
    }
    if not all(scopes.get(name, name == "PriorityClass") for name in spec.get("scopes") or ()):
        return False
    expressions = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return all(_has_scope(x, scopes, pod) for x in expressions)


def _has_scope(expression: Raw, scopes: Mapping[str, bool], pod: Raw) -> bool:
    if expression.get("scopeName") != "PriorityClass":
        return scopes.get(str(expression.get("scopeName")), False)
    name = pod.get("priorityClassName")
    labels = {"PriorityClass": name} if name else {}
    return _matches({**expression, "key": "PriorityClass"}, labels)


def _is_best_effort(pod: Raw) -> bool:
    """Without any request or limit of CPU and memory."""
    containers = [*(pod.get("containers") or ()), *(pod.get("initContainers") or ())]
    for container in containers:
        resources = container.get("resources") or {}
        named = {*(resources.get("requests") or {}), *(resources.get("limits") or {})}
        if named & {"cpu", "memory"}:
            return False
    return True


def _reaches_other_namespaces(pod: Raw) -> bool:
    affinity = pod.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or {}
        weighted = rules.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms = [*(rules.get(_REQUIRED) or ()), *(x.get("podAffinityTerm") or {} for x in weighted)]
        if any("namespaceSelector" in term or term.get("namespaces") for term in terms):
            return True
    return False


def admits(node: Raw, pod: Raw) -> bool:
    """Returns whether a node is ready for such pods, by its labels and taints."""
    spec, labels = node.get("spec") or {}, node["metadata"].get("labels") or {}
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
    selected = all(labels.get(k) == v for k, v in (pod.get("nodeSelector") or {}).items())
    taints = [t for t in spec.get("taints") or () if t.get("effect") != "PreferNoSchedule"]
    tolerations = pod.get("tolerations") or ()
    tolerated = all(any(_tolerates(x, taint) for x in tolerations) for taint in taints)
    wanted = _affinity(pod)
    near = wanted is None or any(_matches_term(term, node) for term in wanted)
    return ready and selected and near and tolerated and not spec.get("unschedulable")


def _affinity(pod: Raw) -> Sequence[Raw] | None:
    """The terms of which a node has to match one; None without such a rule."""
    rule = ((pod.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED)
    return None if rule is None else rule.get("nodeSelectorTerms") or ()


def _matches_term(term: Raw, node: Raw) -> bool:
    """All expressions of a term; an empty term matches no node."""
    metadata = node["metadata"]
    labels = metadata.get("labels") or {}
    of_labels = term.get("matchExpressions") or ()
    of_fields = term.get("matchFields") or ()
    fields = {"metadata.name": metadata.get("name")}
    if not of_labels and not of_fields:
        return False
    return all(_matches(x, labels) for x in of_labels) and all(
        _matches(x, fields) for x in of_fields
    )


def _matches(expression: Raw, labels: Raw) -> bool:
    """One expression; with the operators of node selectors and of scopes of quotas."""
    key, values = str(expression.get("key")), [str(x) for x in expression.get("values") or ()]
    present, value = key in labels, str(labels.get(key))
    match expression.get("operator"):
        case "In":
            return present and value in values
        case "NotIn":
            return not present or value not in values
        case "Exists":
            return present
        case "DoesNotExist":
            return not present
        case "Gt" | "Lt" as sign if present and values:
            try:
                mine, bound = int(value), int(values[0])
            except ValueError:
                return False
            return mine > bound if sign == "Gt" else mine < bound
    return False


def _tolerates(toleration: Raw, taint: Raw) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint.get("key"))
    same = toleration.get("key") == taint.get("key")
    return same and (toleration.get("value") or "") == (taint.get("value") or "")
