"""The queries of dashboards/, as Grafana sends them."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
FILES = sorted((CHECKOUT / "dashboards").glob("*.json"))
POSTGRES = "grafana-postgresql-datasource"

Json = dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Query:
    """A query of a panel or of a variable."""

    where: str
    """`<dashboard>: <panel>, <letter>`."""
    text: str
    sql: bool


def load(path: Path) -> Json:
    """A dashboard."""
    found: Json = json.loads(path.read_text())
    return found


def panels(dashboard: Json) -> Iterator[Json]:
    """All panels except rows."""
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def queries() -> list[Query]:
    """The queries of all dashboards."""
    return [query for path in FILES for query in _queries(path.stem, load(path))]


def _queries(name: str, dashboard: Json) -> Iterator[Query]:
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield Query(
                where=f"{name}: variable {variable['name']}", text=variable["query"], sql=True
            )
    for panel in panels(dashboard):
        for target in panel["targets"]:
            sql = target["datasource"]["type"] == POSTGRES
            where = f"{name}: {panel['title']}, {target['refId']}"
            yield Query(where=where, text=target["rawSql" if sql else "expr"], sql=sql)


def filled(query: Query, variables: Mapping[str, str], *, since: str, until: str) -> str:
    """The text with Grafana's macros and the dashboard's variables replaced.

    `since` and `until` are times in ISO 8601. Raises ValueError for an unknown variable.
    """
    text = query.text
    macros = {
        r"\$__timeFilter\(([^)]+)\)": rf"\1 BETWEEN '{since}' AND '{until}'",
        r"\$__timeGroup\(([^,)]+), \$__interval\)": r"floor(extract(epoch FROM \1) / 60) * 60",
        r"\$__timeFrom\(\)": f"'{since}'",
        r"\$__timeTo\(\)": f"'{until}'",
        r"\$__rate_interval": "10s",
    }
    for macro, meant in macros.items():
        text = re.sub(macro, meant, text)
    for name, value in variables.items():
        text = re.sub(rf"\$\{{{name}(:regex)?\}}|\${name}\b", value, text)
    if "$" in text.replace(")$'", ""):
        raise ValueError(f"{query.where} has an unknown variable: {text}")
    return text
