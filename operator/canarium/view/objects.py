"""The objects that one model is seen from, as the API server returned them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from canarium import GROUP, KIND

Raw = Mapping[str, Any]

MODEL_LABEL = f"{GROUP}/model"
REVISION_LABEL = f"{GROUP}/revision"
#: Kinds of routes, one of which has the traffic record unless the Service has it.
ROUTES = ("HTTPRoute", "GRPCRoute", "VirtualService")


@dataclass(frozen=True, slots=True)
class Objects:
    """A model and its children, each as raw JSON."""

    model: Raw
    deployments: tuple[Raw, ...] = ()
    pods: tuple[Raw, ...] = ()
    autoscalers: tuple[Raw, ...] = ()
    records: tuple[Raw, ...] = ()
    services: tuple[Raw, ...] = ()
    events: tuple[Raw, ...] = ()
    routes: tuple[Raw, ...] = ()

    @classmethod
    def of(cls, model: Raw, others: Iterable[Raw]) -> Objects:
        """Sorts the objects of a list by kind; kinds that no view shows are ignored."""
        by_kind: dict[str, list[Raw]] = {}
        for item in others:
            by_kind.setdefault(str(item.get("kind")), []).append(item)
        return cls(
            model=model,
            deployments=_by_name(by_kind.get("Deployment", ())),
            pods=_by_name(by_kind.get("Pod", ())),
            autoscalers=_by_name(by_kind.get("HorizontalPodAutoscaler", ())),
            records=_by_name(by_kind.get("ControllerRevision", ())),
            services=_by_name(by_kind.get("Service", ())),
            events=tuple(by_kind.get("Event", ())),
            routes=tuple(route for kind in ROUTES for route in by_kind.get(kind, ())),
        )

    @classmethod
    def from_items(cls, items: Iterable[Raw]) -> Objects:
        """Returns the objects of a list that also contains the model.

        Raises LookupError when it contains no ModelDeployment.
        """
        every = list(items)
        model = next((item for item in every if item.get("kind") == KIND), None)
        if model is None:
            raise LookupError(f"the list contains no {KIND}")
        return cls.of(model, every)


def _by_name(items: Iterable[Raw]) -> tuple[Raw, ...]:
    return tuple(sorted(items, key=lambda item: str(part(item, "metadata").get("name"))))


def part(of: Raw | None, *path: str) -> Raw:
    """Returns the object below `path`; an empty one if there is none."""
    value: Any = of
    for name in path:
        value = value.get(name) if _is_object(value) else None
    return value if _is_object(value) else {}


def _is_object(value: Any) -> bool:
    # Lists have thousands of objects, and the check of an abstract class is slow.
    return type(value) is dict or isinstance(value, Mapping)


def items(of: Raw | None, name: str) -> tuple[Raw, ...]:
    """Returns the objects of the list in field `name`; entries that are not objects are left
    out."""
    value = of.get(name) if of else None
    return tuple(x for x in value if _is_object(x)) if isinstance(value, list) else ()


def text(of: Raw | None, name: str) -> str:
    """Returns the string in field `name`; empty if there is none."""
    value = of.get(name) if of else None
    return value if isinstance(value, str) else ""


def number(of: Raw | None, name: str) -> int:
    """Returns the integer in field `name`; 0 if there is none."""
    value = of.get(name) if of else None
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def optional_number(of: Raw | None, name: str) -> float | None:
    """Returns the number in field `name`; None if there is none."""
    value = of.get(name) if of else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def label(of: Raw, name: str) -> str:
    """Returns the value of a label; empty if there is none."""
    return text(part(of, "metadata", "labels"), name)


def annotation(of: Raw, name: str) -> str:
    """Returns the value of an annotation; empty if there is none."""
    return text(part(of, "metadata", "annotations"), name)
