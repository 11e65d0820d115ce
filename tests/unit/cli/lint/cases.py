"""Manifests with one fault each, shared with the test that asks a real API server."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

MODEL: dict[str, Any] = {
    "apiVersion": "canarium.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "fraud"},
    "spec": {
        "model": {"uri": "file:///models/fraud", "format": "sklearn", "version": "1"},
        "scaling": {"replicas": 3},
        "rollout": {
            "steps": [{"weight": 25, "pause": "30s"}, {"weight": 50, "pause": "30s"}],
            "smokeTests": [{"path": "/v2/health/ready", "method": "GET"}],
            "analysis": {"checks": [{"name": "errors", "metric": "ErrorRate", "max": "1%"}]},
        },
    },
}
RUNTIME: dict[str, Any] = {
    "apiVersion": "canarium.dev/v1alpha1",
    "kind": "ClusterModelRuntime",
    "metadata": {"name": "own"},
    "spec": {"image": "own:1", "readiness": {"path": "/ready"}, "formats": [{"name": "own"}]},
}
_CHECKS = ("spec", "rollout", "analysis", "checks")
_TESTS = ("spec", "rollout", "smokeTests")
_REMOVED = object()
_QUERY = "spec.rollout.analysis.checks[0].prometheus"
_LOGIN = f"{_QUERY}.authentication"
_SIGNED = {"region": "eu-central-1", "service": "aps"}
_TOKEN = {"tokenUrl": "https://login.test/token"}


def _login(**authentication: Any) -> dict[str, Any]:
    query = {"url": "http://p", "query": "up", "authentication": authentication}
    return {"name": "errors", "max": "1", "prometheus": query}


def _key(name: str) -> dict[str, Any]:
    return _login(secretName="a", headers=[{"name": name, "key": "b"}])


@dataclass(frozen=True)
class Case:
    """`base` with `value` at `where` (removed where it is REMOVED); the finding is at `path`."""

    where: tuple[str | int, ...]
    value: Any
    path: str
    rule: str
    base: str = "model"

    def body(self) -> dict[str, Any]:
        found = copy.deepcopy(MODEL if self.base == "model" else RUNTIME)
        node: Any = found
        for step in self.where[:-1]:
            node = node.setdefault(step, {}) if isinstance(node, dict) else node[step]
        last = self.where[-1]
        if self.value is _REMOVED:
            del node[last]
        elif isinstance(node, list) and last == len(node):
            node.append(self.value)
        else:
            node[last] = self.value
        return found

    def __str__(self) -> str:
        return f"{self.rule}-{self.path}"


_KEY = {"configMapKeyRef": {"name": "keys", "key": "release.pub"}}


def _verified(**verify: Any) -> dict[str, Any]:
    return {"uri": "s3://models/fraud", "format": "sklearn", "verify": verify}


#: The API server refuses them as well.
REFUSED = (
    Case(("spec", "scaling", "replicas"), "3", "spec.scaling.replicas", "schema"),
    Case(("spec", "scaling", "replicas"), -1, "spec.scaling.replicas", "schema"),
    Case(("spec", "model", "version"), 1, "spec.model.version", "schema"),
    Case(("spec", "model", "verison"), "1", "spec.model.verison", "schema"),
    Case(("spec", "min_replicas"), 1, "spec.min_replicas", "schema"),
    Case(("spec", "model"), _REMOVED, "spec.model", "schema"),
    Case(("spec",), _REMOVED, "spec", "schema"),
    Case(("metadata", "name"), "a" * 46, "metadata.name", "schema"),
    Case(("metadata", "name"), "Fraud", "metadata.name", "schema"),
    Case(("spec", "rollout", "strategy"), "Canry", "spec.rollout.strategy", "schema"),
    Case(("spec", "rollout", "bakeTime"), "5 m", "spec.rollout.bakeTime", "schema"),
    Case((*_CHECKS, 0, "max"), "1 %", "spec.rollout.analysis.checks[0].max", "schema"),
    Case((*_CHECKS, 1), {"name": "errors", "metric": "ErrorRate", "max": "1%"},
         "spec.rollout.analysis.checks[1].name", "list-key"),
    Case((*_CHECKS, 0, "max"), _REMOVED, "spec.rollout.analysis.checks[0].max", "cel"),
    Case((*_CHECKS, 0, "series"), {"name": "x", "kind": "Gauge"},
         "spec.rollout.analysis.checks[0].metric", "cel"),
    Case((*_TESTS, 0, "grpc"), {"port": 9000}, "spec.rollout.smokeTests[0].grpc", "cel"),
    Case((*_TESTS, 0), {"fromSignature": True}, "spec.rollout.smokeTests", "cel"),
    Case((*_TESTS, 0), {"fromSignature": True, "body": {}},
         "spec.rollout.smokeTests[0].fromSignature", "cel"),
    Case((*_TESTS, 0), {"fromSignature": True, "path": "/score"},
         "spec.rollout.smokeTests[0].path", "cel"),
    Case(("spec", "model", "uri"), "s4://x/y", "spec.model.uri", "cel"),
    Case(("spec", "model", "uri"), "s3://a/../b", "spec.model.uri", "cel"),
    Case(("spec", "model", "uri"), "s3://user:pass@b/c", "spec.model.uri", "cel"),
    Case(("spec", "model", "uri"), "oci://r", "spec.model.uri", "cel"),
    Case(("spec", "model", "digest"), f"sha256:{'0' * 64}", "spec.model.digest", "cel"),
    Case(("spec", "model", "endpoint"), "http://x", "spec.model.endpoint", "cel"),
    Case(("spec", "model", "verify"), {"key": _KEY}, "spec.model.verify", "cel"),
    # A name alone would verify nothing.
    Case(("spec", "model"), _verified(certificateIdentity="release@example.com"),
         "spec.model.verify.certificateAuthorities", "cel"),
    Case(("spec", "model"),
         _verified(key=_KEY, certificateIdentity="a@example.com", certificateAuthorities=_KEY),
         "spec.model.verify.key", "cel"),
    Case(("spec", "model"), _verified(key={}), "spec.model.verify.key.configMapKeyRef", "cel"),
    Case(("spec", "model"), _verified(key={**_KEY, "secretKeyRef": _KEY["configMapKeyRef"]}),
         "spec.model.verify.key.configMapKeyRef", "cel"),
    Case(("spec", "model"), _verified(key={"secretKeyRef": {"name": "keys"}}),
         "spec.model.verify.key.secretKeyRef.key", "schema"),
    Case(("spec", "model"), _verified(key=_KEY, signature="a/../../model.sig"),
         "spec.model.verify.signature", "cel"),
    Case(("spec", "model"), _verified(key=_KEY, signature="/model.sig"),
         "spec.model.verify.signature", "schema"),
    Case(("spec", "model", "credentials"), {"secretName": "x"}, "spec.model.credentials", "cel"),
    Case(("spec", "model", "format"), _REMOVED, "spec", "cel"),
    Case(("spec", "notifications"), {"types": ["Promotd"]}, "spec.notifications.types[0]",
         "schema"),
    Case(("spec", "notifications"), {"sinks": ["A b"]}, "spec.notifications.sinks[0]", "schema"),
    Case(("spec", "notifications"), {"body": "x" * 2049}, "spec.notifications.body", "schema"),
    Case(("spec", "runtime"), {"image": "x"}, "spec.runtime.readiness", "cel"),
    Case(("spec", "runtime"), {"image": "x", "readiness": {"path": "/a", "tcp": True}},
         "spec.runtime.readiness.path", "cel"),
    Case(("spec", "scaling", "minReplicas"), 2, "spec.scaling.replicas", "cel"),
    Case(("spec", "scaling"), {"minReplicas": 3, "maxReplicas": 2},
         "spec.scaling.minReplicas", "cel"),
    Case(("spec", "scaling"), {"minReplicas": 0, "maxReplicas": 2},
         "spec.scaling.minReplicas", "cel"),
    Case(("spec", "resources"), {"claims": [{"name": "gpu"}]}, "spec.resources.claims", "cel"),
    Case(("spec", "pod"), {"resourceClaims": [{"name": "gpu"}]},
         "spec.pod.resourceClaims[0].resourceClaimTemplateName", "cel"),
    Case(("spec", "traffic"), {"router": "Gateway"}, "spec.traffic.gateway", "cel"),
    Case(("spec", "rollout", "steps", 1, "weight"), 20, "spec.rollout.steps", "cel"),
    Case(("spec", "rollout", "steps", 0, "weight"), 0, "spec.rollout.steps", "cel"),
    Case(("spec", "rollout", "strategy"), "BlueGreen", "spec.rollout.steps", "cel"),
    Case(("spec", "readiness"), {}, "spec.readiness.path", "cel", "runtime"),
    Case(("spec", "metrics"), {"latency": {"kind": "Total"}},
         "spec.metrics.latency.name", "cel", "runtime"),
    Case(("spec", "format"), "x", "spec.format", "schema", "runtime"),
    Case((*_CHECKS, 0, "external"), {"metric": "queue_age"},
         "spec.rollout.analysis.checks[0].metric", "cel"),
    Case((*_CHECKS, 0), {"name": "errors", "max": "1", "external": {"metric": "a/b"}},
         "spec.rollout.analysis.checks[0].external.metric", "schema"),
    Case((*_CHECKS, 0), {"name": "errors", "max": "1", "external": {"metric": ".."}},
         "spec.rollout.analysis.checks[0].external.metric", "schema"),
    Case((*_CHECKS, 0),
         {"name": "errors", "max": "1", "external": {"metric": "a", "selector": {"b": "c,d=e"}}},
         "spec.rollout.analysis.checks[0].external.selector.b", "schema"),
    Case((*_CHECKS, 0), _login(), f"{_LOGIN}.secretName", "cel"),
    Case((*_CHECKS, 0), _login(secretName="a", workloadIdentity="Azure"),
         f"{_LOGIN}.secretName", "cel"),
    Case((*_CHECKS, 0), _login(workloadIdentity="Azure", oauth2=_TOKEN),
         f"{_LOGIN}.secretName", "cel"),
    Case((*_CHECKS, 0), _login(workloadIdentity="Azure"), f"{_QUERY}.url", "cel"),
    Case((*_CHECKS, 0), _login(workloadIdentity="AWS"), f"{_LOGIN}.sigV4", "cel"),
    Case((*_CHECKS, 0), _login(workloadIdentity="Google", sigV4=_SIGNED),
         f"{_LOGIN}.sigV4", "cel"),
    Case((*_CHECKS, 0), _login(workloadIdentity="Oracle"),
         f"{_LOGIN}.workloadIdentity", "schema"),
    Case(("spec", "rollout", "gates"), [{"name": "a", "before": "Promotion", "web": {
        "url": "http://a", "authentication": {"workloadIdentity": "Azure"}}}],
         "spec.rollout.gates[0].web.authentication.workloadIdentity", "cel"),
    Case((*_CHECKS, 0), _login(secretName="a", oauth2=_TOKEN, sigV4=_SIGNED),
         f"{_LOGIN}.headers", "cel"),
    Case((*_CHECKS, 0), {"name": "errors", "max": "1", "web": {
        "url": "http://p", "path": "$.a", "headers": [{"name": "TE", "value": "a"}]}},
         "spec.rollout.analysis.checks[0].web.headers[0].name", "cel"),
    Case((*_CHECKS, 0), {"name": "errors", "max": "1", "web": {
        "url": "http://p", "path": "$.a", "headers": [{"name": "X-A", "value": "a\nb: c"}]}},
         "spec.rollout.analysis.checks[0].web.headers[0].value", "schema"),
    Case((*_CHECKS, 0), _key("Content-length"), f"{_LOGIN}.headers[0].name", "cel"),
    Case((*_CHECKS, 0), _key("X: a"), f"{_LOGIN}.headers[0].name", "schema"),
    Case((*_CHECKS, 0), _login(secretName="a", oauth2={"tokenUrl": "login.test"}),
         f"{_LOGIN}.oauth2.tokenUrl", "schema"),
    Case((*_CHECKS, 0), _login(secretName="a", oauth2={**_TOKEN, "scopes": ["a b"]}),
         f"{_LOGIN}.oauth2.scopes[0]", "schema"),
    Case((*_CHECKS, 0), _login(secretName="a", sigV4={**_SIGNED, "region": "Frankfurt"}),
         f"{_LOGIN}.sigV4.region", "schema"),
    Case((*_CHECKS, 0), _login(secretName="a", sigV4={"region": "eu-central-1"}),
         f"{_LOGIN}.sigV4.service", "schema"),
)  # fmt: skip
_PROMETHEUS = {"name": "errors", "max": "1"}
#: The API server takes them, and the operator would refuse them or could never judge.
BROKEN = (
    Case((*_TESTS, 0, "expect"), {"json": [{"path": "$.a["}]},
         "spec.rollout.smokeTests[0].expect.json[0].path", "json-path"),
    Case((*_TESTS, 0, "expect"), {"schema": {"type": "objekt"}},
         "spec.rollout.smokeTests[0].expect.schema", "json-schema"),
    Case((*_CHECKS, 0), {**_PROMETHEUS, "prometheus": {"url": "http://p", "query": "sum(x"}},
         "spec.rollout.analysis.checks[0].prometheus.query", "promql"),
    Case((*_CHECKS, 0), {**_PROMETHEUS, "prometheus": {"url": "http://p", "query": "rate(x)"}},
         "spec.rollout.analysis.checks[0].prometheus.query", "promql"),
    Case((*_CHECKS, 0), {**_PROMETHEUS, "prometheus": {"url": "http://p", "query": "x[5m]"}},
         "spec.rollout.analysis.checks[0].prometheus.query", "promql"),
    Case((*_CHECKS, 0),
         {**_PROMETHEUS, "prometheus": {"url": "http://p", "query": "x{r='{{ rev }}'}"}},
         "spec.rollout.analysis.checks[0].prometheus.query", "query-template"),
    Case((*_CHECKS, 0), {**_PROMETHEUS, "web": {
        "url": "http://p", "path": "$.a", "body": '{"from": {{ begin }}}'}},
         "spec.rollout.analysis.checks[0].web.body", "query-template"),
    Case((*_CHECKS, 0),
         {**_PROMETHEUS, "external": {"metric": "a", "selector": {"r": "{{ rev }}"}}},
         "spec.rollout.analysis.checks[0].external.selector.r", "query-template"),
    Case((*_CHECKS, 0), {**_PROMETHEUS, "web": {"url": "http://p", "path": "$..["}},
         "spec.rollout.analysis.checks[0].web.path", "json-path"),
    Case((*_CHECKS, 0),
         {**_PROMETHEUS, "series": {"name": "x", "kind": "Gauge", "labels": {"a": "("}}},
         "spec.rollout.analysis.checks[0].series.labels.a", "regex"),
    Case((*_CHECKS, 0, "min"), "2%", "spec.rollout.analysis.checks[0].min", "bounds"),
    Case((*_CHECKS, 0, "max"), "5", "spec.rollout.analysis.checks[0].max", "bounds"),
    Case((*_CHECKS, 0), {"name": "slow", "metric": "LatencyP99", "max": "250"},
         "spec.rollout.analysis.checks[0].max", "bounds"),
    Case(("spec", "runtime"), {"image": "x", "readiness": {"path": "/"}},
         "spec.rollout.analysis.checks[0].metric", "metric"),
    Case(("spec", "notifications"), {"title": "{{ nmae }}"}, "spec.notifications.title",
         "notification"),
    Case(("spec", "notifications"), {"body": "{% for x in y %}{% endfor %}"},
         "spec.notifications.body", "notification"),
    Case(("spec", "model", "format"), "sclearn", "spec.model.format", "runtime"),
    Case(("spec", "runtime"), {"name": "mlserver-sklern"}, "spec.runtime.name", "runtime"),
    Case(("spec", "image"), "own:{{ model.version | nosuch }}", "spec.image", "template",
         "runtime"),
    Case(("spec", "args"), ["{% for x in y %}{% endfor %}"], "spec.args[0]", "template",
         "runtime"),
    Case(("spec", "metrics"), {"errors": {"names": ["e"], "labels": {"code": "5("}}},
         "spec.metrics.errors.labels.code", "regex", "runtime"),
)  # fmt: skip
