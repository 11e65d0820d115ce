"""Writes the CRD from the models: `python -m canarium.api.generate [--check]`.

`--check` writes nothing and exits 1 when what is committed differs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from canarium import GROUP, KIND, PLURAL
from canarium.api.model import Spec
from canarium.api.schema import structural, with_rules
from canarium.api.status import Status

ROOT = Path(__file__).resolve().parents[3]
HEADER = "# Generated from operator/canarium/api by `make generate`: do not edit.\n"


def crd() -> dict[str, Any]:
    """The CustomResourceDefinition of `ModelDeployment`."""
    status = structural(Status)
    conditions = status["properties"]["conditions"]
    conditions["x-kubernetes-list-type"] = "map"
    conditions["x-kubernetes-list-map-keys"] = ["type"]
    spec = {**structural(Spec), "description": "What is wanted."}
    schema = {
        "type": "object",
        "description": "A model whose new versions are rolled out step by step, judged and, "
        "when they fail, taken back.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "The API group and version."},
            "kind": {"type": "string", "description": "The kind."},
            # 45 leaves room for "-" and the revision in a 63-character label (R24).
            "metadata": {
                "type": "object",
                "description": "Standard object metadata.",
                "properties": {
                    "name": {
                        "type": "string",
                        "description": "A DNS label of at most 45 characters: names of children "
                        "and of the Service begin with it.",
                        "maxLength": 45,
                        "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$",
                    }
                },
            },
            "spec": spec,
            "status": {**status, "description": "What is, as the operator last saw it."},
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["md"],
                "categories": ["all", "canarium"],
            },
            "versions": [
                {
                    "name": "v1alpha1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": with_rules(schema)},
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.scaling.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": [
                        _column("Phase", ".status.phase"),
                        _column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
                        _column("Version", ".status.version"),
                        _column("Weight", ".status.weight", "integer"),
                        _column("Replicas", ".status.readyReplicas", "integer"),
                        _column("Message", ".status.message", priority=1),
                        _column("Age", ".metadata.creationTimestamp", "date"),
                    ],
                }
            ],
        },
    }


def _column(name: str, path: str, kind: str = "string", priority: int = 0) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path}
    if priority:
        column["priority"] = priority
    return column


def files() -> dict[Path, str]:
    """Every generated file with its content."""
    text = HEADER + yaml.safe_dump(crd(), sort_keys=False, width=100)
    guarded = (
        "{{- if .Values.crds.install }}\n"
        + text.replace(
            f"  name: {PLURAL}.{GROUP}\n",
            f"  name: {PLURAL}.{GROUP}\n"
            "  {{- if .Values.crds.keep }}\n"
            "  annotations:\n"
            "    helm.sh/resource-policy: keep\n"
            "  {{- end }}\n",
            1,
        )
        + "{{- end }}\n"
    )
    return {
        ROOT / "crds" / f"{PLURAL}.yaml": text,
        ROOT / "charts" / "canarium" / "templates" / f"crd-{PLURAL}.yaml": guarded,
    }


def main(arguments: list[str]) -> int:
    """Writes or, with `--check`, compares; the exit code."""
    stale = [
        path for path, text in files().items() if not path.exists() or path.read_text() != text
    ]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: run `make generate`")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files()[path])
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
