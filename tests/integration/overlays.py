"""Overlays of pods in every form that the API server normalises, for hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def some(**values: list[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings with any of the keys, each with one of its values."""
    optional = {key: st.sampled_from(options) for key, options in values.items()}
    return st.fixed_dictionaries({}, optional=optional)


CPU = ["1000m", "1", 1, 0.5, "0.5", "500m", "1e3m", "100u", "1.0", "0.0001"]
MEMORY = ["1Gi", "1024Mi", "0.5Gi", "1e9", 1073741824, "1500M", "1048576Ki", "1.5Gi"]
PROBE = {"httpGet": {"path": "/", "port": "http", "scheme": "", "host": "", "httpHeaders": []}}
CONTAINER = some(
    resources=[
        {},
        None,
        {"limits": {}, "requests": None},
        *({"limits": {"cpu": cpu}, "requests": {"cpu": cpu}} for cpu in CPU),
        *({"limits": {"memory": size, "ephemeral-storage": size}} for size in MEMORY),
        {"claims": []},
    ],
    env=[
        [],
        [{"name": "A", "value": ""}, {"name": "B"}, {"name": "C", "value": None}],
        [{"name": "A", "value": "1000m"}, {"name": "A", "value": "1"}],
        [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}],
        [
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": o}}}
            for o in (False,)
        ],
    ],
    envFrom=[[], [{"prefix": "", "configMapRef": {"name": "c", "optional": False}}]],
    ports=[
        [{"name": "http", "containerPort": 8080, "protocol": "", "hostPort": 0, "hostIP": ""}],
        [{"name": "http", "containerPort": 8080}, {"name": "", "containerPort": 9}],
        [
            {"name": "http", "containerPort": 8080, "protocol": "TCP"},
            {"name": "dns", "containerPort": 8080, "protocol": "UDP"},
        ],
    ],
    securityContext=[
        {},
        None,
        {"privileged": False, "readOnlyRootFilesystem": False, "capabilities": {}},
        {"runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": False, "seLinuxOptions": {}},
        {"capabilities": {"drop": [], "add": None}, "procMount": None},
    ],
    livenessProbe=[
        None,
        {**PROBE, "timeoutSeconds": 0, "periodSeconds": 0, "initialDelaySeconds": 0},
        {**PROBE, "terminationGracePeriodSeconds": None, "failureThreshold": 0},
        {"tcpSocket": {"port": 8080, "host": ""}, "successThreshold": 0},
        {"grpc": {"port": 8080, "service": ""}},
        {"exec": {"command": ["true"]}},
    ],
    volumeMounts=[
        [],
        [
            {"name": "v", "mountPath": "/a", "readOnly": False, "subPath": ""},
            {"name": "v", "mountPath": "/b", "mountPropagation": None},
        ],
    ],
    command=[[], None, ["a", ""]],
    args=[[], ["1000m", "1"]],
    imagePullPolicy=["", "IfNotPresent", None],
    terminationMessagePath=["", None],
    terminationMessagePolicy=["", None],
    workingDir=["", "/w"],
    stdin=[False, True],
    tty=[False],
    lifecycle=[{}, None, {"preStop": {"exec": {"command": ["true"]}}}],
)
VOLUME = st.sampled_from(
    [
        {"emptyDir": {}},
        {"emptyDir": {"medium": "", "sizeLimit": "1000Mi"}},
        {"emptyDir": {"medium": "Memory", "sizeLimit": "0.5Gi"}},
        {"emptyDir": {"sizeLimit": 1000}},
        {"configMap": {"name": "c", "optional": False, "items": []}},
        {"configMap": {"name": "c", "defaultMode": 0o440, "items": None}},
        {"secret": {"secretName": "s", "defaultMode": 0}},
        {"hostPath": {"path": "/h", "type": ""}},
        {"projected": {"sources": [{"configMap": {"name": "c"}}]}},
        {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"persistentVolumeClaim": {"claimName": "p", "readOnly": False}},
    ]
)
POD = some(
    hostNetwork=[False],
    hostPID=[False],
    hostIPC=[False],
    hostUsers=[True, None],
    shareProcessNamespace=[False, True],
    automountServiceAccountToken=[False, True, None],
    enableServiceLinks=[False, True, None],
    nodeSelector=[{}, None, {"a": "b", "c": ""}],
    nodeName=["", None],
    hostname=["", "h"],
    serviceAccountName=["", "sa"],
    serviceAccount=["", "sa"],
    schedulerName=["", None],
    priorityClassName=["", None],
    restartPolicy=["", "Always"],
    dnsPolicy=["", "Default"],
    dnsConfig=[{}, None, {"options": [{"name": "ndots", "value": ""}, {"name": "x"}]}],
    affinity=[{}, {"nodeAffinity": {}}, {"podAntiAffinity": {}, "nodeAffinity": None}],
    tolerations=[
        [],
        None,
        [{"key": "a", "operator": "", "value": "", "effect": ""}],
        [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}],
    ],
    imagePullSecrets=[[], [{"name": "p"}]],
    hostAliases=[[], [{"ip": "10.0.0.1", "hostnames": ["a"]}, {"ip": "10.0.0.2"}]],
    initContainers=[[], [{"name": "i", "image": "i:1", "restartPolicy": "Always", "env": []}]],
    readinessGates=[[], [{"conditionType": "a/b"}]],
    terminationGracePeriodSeconds=[0, 5, None],
    activeDeadlineSeconds=[None],
    preemptionPolicy=[None],
    overhead=[{}, None],
    securityContext=[
        {},
        {"sysctls": [], "supplementalGroups": [], "fsGroup": 0, "runAsUser": 0},
        {"seccompProfile": {"type": "Unconfined", "localhostProfile": None}},
    ],
    topologySpreadConstraints=[
        [],
        [
            {"topologyKey": "z", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"},
            {
                "topologyKey": "h",
                "maxSkew": 1,
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {},
                "matchLabelKeys": [],
            },
        ],
    ],
)
META = some(labels=[{}, None, {"a": ""}], annotations=[{}, None, {"a": "", "b": "1000m"}])
SERVER = {"image": "model:1", "readiness": {"path": "/ready"}}


@st.composite
def overlays(draw: st.DrawFn) -> dict[str, Any]:
    spec = draw(POD)
    container = {"name": "server", **draw(CONTAINER)}
    return {
        "metadata": draw(META),
        "spec": {
            **spec,
            "containers": [container],
            "volumes": [{"name": "v", **draw(VOLUME)}],
        },
    }
