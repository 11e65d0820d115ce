"""Projects VirtualServices to facts.

Istio does not report when its proxies have received a generation. It counts as accepted once it is
written, and `scaleDownDelay` covers the propagation to the proxies. istiod reports errors in the
status, where that is enabled.
"""

from __future__ import annotations

from canarium.api.reasons import RouteReason
from canarium.api.route_kind import VIRTUAL_SERVICE
from canarium.core.facts.gateways import Route
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.engine.cache.children import Child, Raw, child, compared
from canarium.render import labels
from canarium.untrusted.quoting import quoted


def virtual_service(raw: Raw) -> Child[Route]:
    meta, spec = raw["metadata"], raw["spec"]
    notes = meta.get("annotations", {})
    routes: list[Raw] = spec.get("http") or [{}]
    model = meta.get("labels", {}).get(labels.MODEL, "")
    generation = meta.get("generation", 0)
    rejection = _rejection(raw, generation)
    fact = Route(
        kind=VIRTUAL_SERVICE,
        uid=meta["uid"],
        generation=generation,
        weights=tuple(
            (str(to["destination"]["host"]).removeprefix(f"{model}-"), to.get("weight", 0))
            for to in routes[-1].get("route") or ()
        ),
        traffic=TrafficRecord.from_annotations(notes),
        direct=len(routes) > 1 or "mirror" in routes[-1],
        accepted=rejection is None,
        rejection=rejection,
    )
    keep = compared(raw, spec)
    keep["metadata"]["annotations"] = notes
    return child(raw, fact, keep)


def _rejection(raw: Raw, generation: int) -> tuple[str, str] | None:
    """Returns the first error that istiod reports for this generation, as reason and message."""
    status = raw.get("status") or {}
    if int(status.get("observedGeneration") or 0) < generation:
        return None
    for entry in status.get("validationMessages") or ():
        if entry.get("level") == "ERROR":
            kind = entry.get("type") or {}
            text = f"Istio: {kind.get('code', '')} {entry.get('documentationUrl', '')}"
            return quoted(kind.get("name") or RouteReason.WRITE_REJECTED, 100), quoted(text.strip())
    return None
