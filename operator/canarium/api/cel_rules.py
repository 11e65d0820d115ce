"""Cross-field rules of the CRD, in CEL: what is wrong is rejected at apply, with path and advice.

A rule stands at the object that holds all it needs; `fieldPath` points at the field to change.
"""

from __future__ import annotations

from typing import Any

from canarium.api.uri import COMMIT

Rule = dict[str, Any]

#: Path below the root of the schema (property names; "[]" is an item) → its rules.
CROSS_FIELD: dict[tuple[str, ...], list[Rule]] = {
    ("spec",): [
        {
            "rule": "(has(self.runtime) && (has(self.runtime.name) || has(self.runtime.image))) "
            "|| has(self.model.format)",
            "message": "no server is selected: set spec.runtime.name, spec.runtime.image or "
            "spec.model.format",
        },
        {
            "rule": "!has(self.rollout) || !has(self.rollout.smokeTests) || "
            "(has(self.model.uri) && self.model.uri.startsWith('mlflow://')) || "
            "self.rollout.smokeTests.all(t, !has(t.fromSignature) || !t.fromSignature)",
            "message": "fromSignature of smokeTests requires spec.model.uri of mlflow: set a body "
            "instead",
            "fieldPath": ".rollout.smokeTests",
        },
        {
            "rule": "!has(self.rollout) || !has(self.rollout.steps) || "
            "(has(self.traffic) && (has(self.traffic.gateway) || has(self.traffic.istio))) || "
            "self.rollout.steps.all(s, s.weight > 0)",
            "message": "steps of weight 0 require spec.traffic.router Gateway or Istio: a "
            "Service sends requests to every ready pod",
            "fieldPath": ".rollout.steps",
        },
        {
            "rule": "!has(self.resources) || !has(self.resources.claims) || "
            "self.resources.claims.all(c, has(self.pod) && has(self.pod.resourceClaims) && "
            "self.pod.resourceClaims.exists(p, p.name == c.name))",
            "message": "each of claims must be listed in spec.pod.resourceClaims by its name",
            "fieldPath": ".resources.claims",
        },
    ],
    ("spec", "pod", "resourceClaims", "[]"): [
        {
            "rule": "has(self.resourceClaimName) != has(self.resourceClaimTemplateName)",
            "message": "set resourceClaimTemplateName, for devices of each pod, or "
            "resourceClaimName, for devices that all pods share",
            "fieldPath": ".resourceClaimTemplateName",
        },
    ],
    ("spec", "traffic"): [
        {
            "rule": "(has(self.router) && self.router == 'Gateway') == has(self.gateway)",
            "message": "router: Gateway and gateway belong together: set both or neither",
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
            "message": "digest applies only to a model that is fetched: pin a model inside the "
            "server's image by the digest of the image (image@sha256:…)",
            "fieldPath": ".digest",
        },
        {
            "rule": "!has(self.endpoint) || "
            "(has(self.uri) && self.uri.matches('^(s3|gs|az|hf|oci|mlflow)://'))",
            "message": "endpoint applies only to a uri of s3, gs, az, hf, oci or mlflow",
            "fieldPath": ".endpoint",
        },
        {
            "rule": "!has(self.uri) || !self.uri.startsWith('mlflow://') || has(self.endpoint)",
            "message": "a uri of mlflow requires endpoint: set the address of the tracking server",
            "fieldPath": ".endpoint",
        },
        {
            "rule": "!has(self.credentials) || (has(self.uri) && "
            "!self.uri.startsWith('file://') && !self.uri.startsWith('pvc://'))",
            "message": "credentials apply only to a uri that is fetched, not to file:// or pvc://",
            "fieldPath": ".credentials",
        },
        {
            "rule": "(!has(self.allowPatterns) && !has(self.ignorePatterns)) || "
            "(has(self.uri) && self.uri.matches('^(s3|gs|az|hf|mlflow|https?)://'))",
            "message": "allowPatterns and ignorePatterns apply only to a uri of hf, s3, gs, az, "
            "mlflow, http or https",
            "fieldPath": ".allowPatterns",
        },
        {
            "rule": "!has(self.verify) || (has(self.uri) && !self.uri.startsWith('file://'))",
            "message": "verify applies only to a model that is fetched: verify a model inside the "
            "server's image by the signature of the image",
            "fieldPath": ".verify",
        },
        {
            "rule": "!has(self.follow) || (has(self.uri) && (self.uri.matches('^mlflow://[^/@]+@') "
            "|| (self.uri.startsWith('hf://') && "
            f"!self.uri.matches('^hf://[^/]+/[^/@]+@{COMMIT}(/|$)')) "
            "|| (self.uri.startsWith('oci://') && !self.uri.contains('@'))))",
            "message": "follow applies only to a uri that can move: mlflow://model@alias, a branch "
            "or tag of hf://, or a tag of oci://. A commit, a digest and all other uris name the "
            "same model at all times, or are fixed by the digest of the first fetch",
            "fieldPath": ".follow",
        },
        {
            "rule": "!has(self.writeBack) || (has(self.uri) && "
            "self.uri.matches('^mlflow://[^/@]+(@[^/]+|/[1-9][0-9]*)/?$'))",
            "message": "writeBack applies only to a registered model, such as "
            "mlflow://model@alias or mlflow://model/version: nothing else has versions with tags",
            "fieldPath": ".writeBack",
        },
    ],
    ("spec", "model", "follow"): [
        {
            "rule": "!has(self.interval) || (duration(self.interval) >= duration('30s') && "
            "duration(self.interval) <= duration('24h'))",
            "message": "interval must be from 30s to 24h",
            "fieldPath": ".interval",
        },
    ],
    ("spec", "runtime"): [
        {
            "rule": "has(self.name) || !has(self.image) || has(self.readiness)",
            "message": "runtime.readiness is required for an image without a runtime: set the "
            "path that returns 200 when the model is loaded",
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
            "message": "minReplicas needs maxReplicas: set both",
            "fieldPath": ".minReplicas",
        },
        {
            "rule": "!has(self.minReplicas) || !has(self.maxReplicas) || "
            "self.minReplicas <= self.maxReplicas",
            "message": "minReplicas must not be above maxReplicas",
            "fieldPath": ".minReplicas",
        },
        {
            "rule": "!has(self.minReplicas) || self.minReplicas > 0 || (has(self.metrics) && "
            "self.metrics.exists(m, has(m.type) && m.type in ['Object', 'External']))",
            "message": "minReplicas 0 requires a metric of type Object or External in metrics: "
            "without pods, the others have no value that could scale the model up again",
            "fieldPath": ".minReplicas",
        },
        {
            "rule": "has(self.maxReplicas) || (!has(self.metrics) && !has(self.behavior))",
            "message": "metrics and behavior need maxReplicas: set it",
            "fieldPath": ".maxReplicas",
        },
    ],
    ("spec", "rollout"): [
        {
            "rule": "!has(self.steps) || self.steps.all(i, i.weight <= 100) && "
            "self.steps.map(s, s.weight).isSorted()",
            "message": "the weights of steps must not decrease: sort steps by weight",
            "fieldPath": ".steps",
        },
        {
            "rule": "!has(self.steps) || !has(self.strategy) || self.strategy == 'Canary'",
            "message": "steps apply only to strategy Canary: remove them, or set strategy: Canary",
            "fieldPath": ".steps",
        },
        {
            "rule": "!has(self.gates) || self.gates.all(g, !has(g.weight) || "
            "(has(self.steps) && self.steps.exists(s, s.weight == g.weight)))",
            "message": "gates before a weight require a step of that weight: add it to steps, or "
            "change weight of the gate",
            "fieldPath": ".gates",
        },
        {
            "rule": "!has(self.gates) || size(self.gates) == 0 || !has(self.strategy) || "
            "self.strategy != 'Recreate'",
            "message": "gates do not apply to strategy Recreate, which would be down while they "
            "wait: remove them, or set strategy: Canary",
            "fieldPath": ".gates",
        },
        {
            "rule": "!has(self.gates) || !has(self.bakeTime) || "
            "duration(self.bakeTime) > duration('0s') || "
            "self.gates.all(g, g.before != 'Finish')",
            "message": "gates before Finish require a bake: set bakeTime above 0s, or use "
            "before: Promotion",
            "fieldPath": ".gates",
        },
    ],
}
