"""Cross-field rules of the CRD, in CEL: what is wrong is refused at apply, with path and advice.

A rule stands at the object that holds all it needs; `fieldPath` points at the field to change.
"""

from __future__ import annotations

from typing import Any

Rule = dict[str, Any]

#: Path below the root of the schema (property names; "[]" is an item) → its rules.
CROSS_FIELD: dict[tuple[str, ...], list[Rule]] = {
    ("spec",): [
        {
            "rule": "(has(self.runtime) && (has(self.runtime.name) || has(self.runtime.image))) "
            "|| has(self.model.format)",
            "message": "say how the model is served: set spec.runtime.name, spec.runtime.image "
            "or spec.model.format",
        },
        {
            "rule": "!has(self.rollout) || !has(self.rollout.steps) || "
            "(has(self.traffic) && (has(self.traffic.gateway) || has(self.traffic.istio))) || "
            "self.rollout.steps.all(s, s.weight > 0)",
            "message": "a step of weight 0 needs spec.traffic.router: Gateway or Istio: a Service "
            "sends every ready pod its share",
            "fieldPath": ".rollout.steps",
        },
    ],
    ("spec", "traffic"): [
        {
            "rule": "(has(self.router) && self.router == 'Gateway') == has(self.gateway)",
            "message": "router: Gateway and gateway belong together: set both or neither; what "
            "gateway asks for, a Service cannot do",
            "fieldPath": ".gateway",
        },
        {
            "rule": "(has(self.router) && self.router == 'Istio') == has(self.istio)",
            "message": "router: Istio and istio belong together: set both or neither",
            "fieldPath": ".istio",
        },
    ],
    ("spec", "model"): [
        {
            "rule": "!has(self.digest) || (has(self.uri) && !self.uri.startsWith('file://'))",
            "message": "digest is of a model that is fetched: one inside the server's image is "
            "pinned by the image's own digest (image@sha256:…)",
            "fieldPath": ".digest",
        },
        {
            "rule": "!has(self.endpoint) || "
            "(has(self.uri) && self.uri.matches('^(s3|gs|az|hf|oci)://'))",
            "message": "endpoint is another address of an object store, a hub or a registry: a "
            "uri of s3, gs, az, hf or oci; an http(s):// uri has its address in itself",
            "fieldPath": ".endpoint",
        },
        {
            "rule": "!has(self.credentials) || (has(self.uri) && "
            "!self.uri.startsWith('file://') && !self.uri.startsWith('pvc://'))",
            "message": "credentials are for a uri that is fetched: neither file:// nor pvc://",
            "fieldPath": ".credentials",
        },
        {
            "rule": "(!has(self.allowPatterns) && !has(self.ignorePatterns)) || "
            "(has(self.uri) && self.uri.matches('^(s3|gs|az|hf|https?)://'))",
            "message": "allowPatterns and ignorePatterns choose files of a uri of hf, s3, gs, az, "
            "http or https; a claim is mounted and an image is pulled as a whole",
            "fieldPath": ".allowPatterns",
        },
    ],
    ("spec", "runtime"): [
        {
            "rule": "has(self.name) || !has(self.image) || has(self.readiness)",
            "message": "runtime.readiness is required with an image of your own: the path that "
            "answers 200 when the model is loaded",
            "fieldPath": ".readiness",
        },
    ],
    ("spec", "scaling"): [
        {
            "rule": "!has(self.replicas) || (!has(self.minReplicas) && !has(self.maxReplicas))",
            "message": "replicas and minReplicas/maxReplicas exclude each other: keep replicas "
            "for a fixed count, or the bounds for autoscaling",
            "fieldPath": ".replicas",
        },
        {
            "rule": "!has(self.minReplicas) || has(self.maxReplicas)",
            "message": "minReplicas needs maxReplicas",
            "fieldPath": ".minReplicas",
        },
        {
            "rule": "!has(self.minReplicas) || !has(self.maxReplicas) || "
            "self.minReplicas <= self.maxReplicas",
            "message": "minReplicas must not be above maxReplicas",
            "fieldPath": ".minReplicas",
        },
        {
            "rule": "has(self.maxReplicas) || (!has(self.metrics) && !has(self.behavior))",
            "message": "metrics and behavior need maxReplicas",
            "fieldPath": ".maxReplicas",
        },
    ],
    ("spec", "rollout"): [
        {
            "rule": "!has(self.steps) || self.steps.all(i, i.weight <= 100) && "
            "self.steps.map(s, s.weight).isSorted()",
            "message": "weights must not fall from one step to the next",
            "fieldPath": ".steps",
        },
        {
            "rule": "!has(self.steps) || !has(self.strategy) || self.strategy == 'Canary'",
            "message": "steps belong to strategy Canary: drop them, or set strategy: Canary",
            "fieldPath": ".steps",
        },
    ],
}
