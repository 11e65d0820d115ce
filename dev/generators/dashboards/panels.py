"""The parts of a Grafana dashboard, as its JSON model (schema 39: Grafana 10.4 or newer)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
#: Width of a row, in Grafana's columns.
_COLUMNS = 24

Query = tuple[str, str]
Json = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """A panel; `queries` are PromQL with the format of the legend. `height` 1 is 30 pixels."""

    title: str
    queries: tuple[Query, ...]
    kind: Literal["timeseries", "stat", "table", "state-timeline"] = "timeseries"
    unit: str = "short"
    text: str = ""
    width: int = 12
    height: int = 8
    #: Shown where there is no value.
    none: str = ""
    #: Further fields of `fieldConfig.defaults`, of `options`, and of the panel.
    defaults: Mapping[str, Any] | None = None
    options: Mapping[str, Any] | None = None
    more: Mapping[str, Any] | None = None

    def json(self, number: int, x: int, y: int) -> Json:
        instant = self.kind in ("stat", "table")
        defaults = {"unit": self.unit, **({"noValue": self.none} if self.none else {})}
        targets = [
            {
                "refId": chr(ord("A") + index),
                "datasource": DATASOURCE,
                "expr": query,
                "legendFormat": legend,
                **({"instant": True, "range": False} if instant else {}),
                **({"format": "table"} if self.kind == "table" else {}),
            }
            for index, (query, legend) in enumerate(self.queries)
        ]
        return {
            "id": number,
            "title": self.title,
            "description": self.text,
            "type": self.kind,
            "datasource": DATASOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "fieldConfig": {"defaults": defaults | dict(self.defaults or {}), "overrides": []},
            "options": dict(self.options or {}),
            "targets": targets,
            **(self.more or {}),
        }


def row(title: str) -> Json:
    """Returns the heading of the panels below it."""
    return {"type": "row", "title": title, "collapsed": False, "panels": []}


def variable(name: str, query: str, label: str, *, all_values: bool = False) -> Json:
    """Returns a variable whose values are those of a label, such as `label_values(up, job)`."""
    every = {"multi": True, "includeAll": True, "allValue": ".*"} if all_values else {}
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        **every,
    }


def annotation(name: str, query: str, color: str, text: str) -> Json:
    """Returns marks at the times at which `query` has a value."""
    return {
        "name": name,
        "enable": True,
        "datasource": DATASOURCE,
        "expr": query,
        "iconColor": color,
        "step": "60s",
        "titleFormat": name,
        "textFormat": text,
    }


def dashboard(
    uid: str,
    title: str,
    panels: Iterable[Panel | Json],
    variables: Iterable[Json] = (),
    annotations: Iterable[Json] = (),
) -> Json:
    """Returns a dashboard with its panels from left to right, in rows that are filled."""
    placed: list[Json] = []
    x = y = height = 0
    for number, panel in enumerate(panels, start=1):
        width = panel.width if isinstance(panel, Panel) else _COLUMNS
        if x + width > _COLUMNS:
            x, y, height = 0, y + height, 0
        if isinstance(panel, Panel):
            placed.append(panel.json(number, x, y))
            height = max(height, panel.height)
        else:
            placed.append({**panel, "id": number, "gridPos": {"h": 1, "w": width, "x": x, "y": y}})
            height = 1
        x += width
    datasource = {"name": "datasource", "type": "datasource", "query": "prometheus"}
    return {
        "uid": uid,
        "title": title,
        "tags": ["canarium"],
        "schemaVersion": 39,
        "editable": True,
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "1m",
        "links": [
            {"type": "dashboards", "title": "Canarium", "tags": ["canarium"], "asDropdown": True}
        ],
        "templating": {"list": [{**datasource, "label": "Data source"}, *variables]},
        "annotations": {"list": list(annotations)},
        "panels": placed,
    }
