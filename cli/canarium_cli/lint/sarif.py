"""SARIF 2.1.0, which code hosts show beside the lines of a change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from canarium import VERSION
from canarium_cli.manifests.finding import Finding

#: Identifier of each rule → what it checks.
RULES: dict[str, str] = {
    "file": "Files can be read and contain objects.",
    "yaml": "Files are valid YAML without repeated keys.",
    "kind": "Kinds and versions exist, and names are unique.",
    "schema": "Fields exist and have the right type.",
    "null": "Fields have values.",
    "list-key": "Items of a list differ in their keys.",
    "cel": "The rules of the CRD hold.",
    "runtime": "A runtime serves the model.",
    "template": "The templates of a runtime can be rendered.",
    "smoke-test": "Smoke tests have a path and a body.",
    "json-path": "JSON paths are valid.",
    "json-schema": "JSON Schemas are valid.",
    "promql": "Prometheus queries are valid and return a number.",
    "query-template": "Queries use known variables.",
    "regex": "Label patterns are valid regular expressions.",
    "metric": "The server measures what is checked.",
    "bounds": "A value can be within the bounds of a check, and outside of them.",
    "replay": "Recorded requests have a path.",
    "min-samples": "Checks get enough requests for a verdict.",
    "check-template": "Templates of checks can be used with their arguments.",
    "notification": "The texts of a model for its notifications can be rendered.",
}


def sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """Returns findings as a SARIF log with one run."""
    order = list(RULES)
    driver = {
        "name": "kubectl-modeldeploy",
        "version": VERSION,
        "rules": [{"id": name, "shortDescription": {"text": RULES[name]}} for name in order],
    }
    results = [
        {
            "ruleId": finding.rule,
            "ruleIndex": order.index(finding.rule),
            "level": finding.level.value,
            "message": {"text": finding.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": finding.file.replace("\\", "/")},
                        "region": {"startLine": finding.line, "startColumn": finding.column},
                    },
                    "logicalLocations": [
                        {
                            "fullyQualifiedName": ".".join(
                                x for x in (finding.object, finding.path) if x
                            )
                        }
                    ],
                }
            ],
        }
        for finding in findings
    ]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
        ],
    }
