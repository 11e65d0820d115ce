"""The CustomResourceDefinitions as files: plain, and as templates of the chart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from canarium import GROUP
from canarium.api import crd

HEADER = "# Generated from operator/canarium/api by `make generate`: do not edit.\n"


def files(root: Path) -> dict[Path, str]:
    """Returns the files of all kinds below `root`, with their content."""
    texts: dict[Path, str] = {}
    for definition in crd.kinds():
        plural = definition["spec"]["names"]["plural"]
        text = HEADER + yaml.safe_dump(_without_aliases(definition), sort_keys=False, width=100)
        texts[root / "crds" / f"{plural}.yaml"] = text
        template = root / "charts" / "canarium" / "templates" / f"crd-{plural}.yaml"
        texts[template] = _as_template(plural, text)
    return texts


def _without_aliases(definition: dict[str, Any]) -> dict[str, Any]:
    """Returns a copy in which no two places are one object: YAML would write an alias for them."""
    copied: dict[str, Any] = json.loads(json.dumps(definition))
    return copied


def _as_template(plural: str, text: str) -> str:
    """Returns the CRD as a template of the chart, with the labels and annotations of the values;
    `helm uninstall` keeps it unless configured otherwise."""
    head = f"  name: {plural}.{GROUP}\n"
    keep = (
        "  {{- with .Values.crds.labels }}\n"
        "  labels: {{- toYaml . | nindent 4 }}\n"
        "  {{- end }}\n"
        "  {{- if or .Values.crds.keep .Values.crds.annotations }}\n"
        "  annotations:\n"
        "    {{- if .Values.crds.keep }}\n"
        "    helm.sh/resource-policy: keep\n"
        "    {{- end }}\n"
        "    {{- with .Values.crds.annotations }}\n"
        "    {{- toYaml . | nindent 4 }}\n"
        "    {{- end }}\n"
        "  {{- end }}\n"
    )
    # Braces in a description are text, not the chart's own templates.
    literal = text.replace("{{", "{{ `{{` }}")
    return (
        "{{- if .Values.crds.install }}\n" + literal.replace(head, head + keep, 1) + "{{- end }}\n"
    )
