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
        found: dict[str, list[Raw]] = {}
        for item in others:
            found.setdefault(str(item.get("kind")), []).append(item)
        return cls(
            model=model,
            deployments=_by_name(found.get("Deployment", ())),
            pods=_by_name(found.get("Pod", ())),
            autoscalers=_by_name(found.get("HorizontalPodAutoscaler", ())),
            records=_by_name(found.get("ControllerRevision", ())),
            services=_by_name(found.get("Service", ())),
            events=tuple(found.get("Event", ())),
            routes=tuple(route for kind in ROUTES for route in found.get(kind, ())),
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
    found: Any = of
    for name in path:
        found = found.get(name) if _is_object(found) else None
    return found if _is_object(found) else {}


def _is_object(found: Any) -> bool:
    # Lists have thousands of objects, and the check of an abstract class is slow.
    return type(found) is dict or isinstance(found, Mapping)


def items(of: Raw | None, name: str) -> tuple[Raw, ...]:
    """Returns the objects of the list in field `name`; entries that are not objects are left
    out."""
    found = of.get(name) if of else None
    return tuple(x for x in found if _is_object(x)) if isinstance(found, list) else ()


def text(of: Raw | None, name: str) -> str:
    """Returns the string in field `name`; empty if there is none."""
    found = of.get(name) if of else None
    return found if isinstance(found, str) else ""


def number(of: Raw | None, name: str) -> int:
    """Returns the integer in field `name`; 0 if there is none."""
    found = of.get(name) if of else None
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def optional_number(of: Raw | None, name: str) -> float | None:
    """Returns the number in field `name`; None if there is none."""
    found = of.get(name) if of else None
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def label(of: Raw, name: str) -> str:
    """Returns the value of a label; empty if there is none."""
    return text(part(of, "metadata", "labels"), name)


def annotation(of: Raw, name: str) -> str:
    """Returns the value of an annotation; empty if there is none."""
    return text(part(of, "metadata", "annotations"), name)
