"""Writes all that is generated: `python -m generators [--check]`.

`--check` writes nothing and exits 1 when what is committed differs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

from generators import (
    artifacthub,
    chartreadme,
    commandline,
    crds,
    dashboards,
    labels,
    metrics,
    phases,
    reasons,
    reference,
    runtimes,
    values,
    valuespage,
    valuesschema,
)

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "canarium"


def files() -> dict[Path, str]:
    """Returns every generated file with its content."""
    written = crds.files(ROOT)
    definitions = [
        yaml.safe_load(text) for path, text in written.items() if path.parent.name == "crds"
    ]
    known = values.read(CHART / "values.yaml")
    schema = valuesschema.schema(known)
    readme = CHART / "README.md"
    chart = CHART / "Chart.yaml"
    example = yaml.safe_load((ROOT / "examples" / "models" / "fraud-v1.yaml").read_text())
    page = ROOT / "docs" / "guides" / "runtimes.md"
    frameworks = sorted((ROOT / "docs" / "guides" / "frameworks").glob("*.md"))
    return {
        **written,
        **dashboards.files(ROOT),
        chart: artifacthub.filled(chart.read_text(), definitions, example),
        CHART / "values.schema.json": schema,
        readme: chartreadme.filled(readme.read_text(), known),
        ROOT / "docs" / "reference" / "api.md": reference.page(definitions),
        ROOT / "docs" / "reference" / "cli.md": commandline.page(),
        ROOT / "docs" / "reference" / "labels.md": labels.page(),
        ROOT / "docs" / "reference" / "metrics.md": metrics.page(),
        ROOT / "docs" / "reference" / "phases.md": phases.page(),
        ROOT / "docs" / "reference" / "reasons.md": reasons.page(),
        ROOT / "docs" / "reference" / "values.md": valuespage.page(known, json.loads(schema)),
        page: runtimes.filled(page.read_text()),
        **{path: runtimes.facts(path.read_text()) for path in frameworks},
    }


def main(arguments: list[str]) -> int:
    """Writes or, with `--check`, compares; returns the exit code."""
    stale = {
        path: text
        for path, text in files().items()
        if not path.exists() or path.read_text() != text
    }
    for path, text in stale.items():
        if "--check" in arguments:
            print(f"{path.relative_to(ROOT)} is stale: run `make generate`")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(f"wrote {path.relative_to(ROOT)}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
