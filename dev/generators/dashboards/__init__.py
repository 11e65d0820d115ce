"""The Grafana dashboards of the chart: `operator`, `fleet` and `model`, made of `panels`.

A test evaluates each query of each panel against a Prometheus that scraped an operator.
"""

from __future__ import annotations

import json
from pathlib import Path

from generators.dashboards import fleet, model, operator

_FOLDER = Path("charts/canarium/files/dashboards")


def files(root: Path) -> dict[Path, str]:
    """Returns the dashboards by the path of their files."""
    return {
        root / _FOLDER / f"{module.__name__.rpartition('.')[2]}.json": json.dumps(
            module.dashboard(), indent=1
        )
        + "\n"
        for module in (operator, fleet, model)
    }
