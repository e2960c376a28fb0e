"""docs/reference/metrics.md, generated from the code by `make references`.

The source is searched for constructors of prometheus_client's metrics, so there is no list of
metrics or modules to maintain. Labels may be a constant of the same module.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CHECKOUT = Path(__file__).parents[2]
ROOTS = (CHECKOUT / "operator", CHECKOUT / "webhooks")
TYPES = MappingProxyType(
    {
        "Counter": "counter",
        "CounterMetricFamily": "counter",
        "Gauge": "gauge",
        "GaugeMetricFamily": "gauge",
        "Histogram": "histogram",
        "HistogramMetricFamily": "histogram",
    }
)
PARTS = (
    ("roadstead.forwardauth", ("forward-auth",)),
    ("roadstead_webhooks", ("webhooks",)),
    ("roadstead.console", ("console",)),
    ("roadstead.process.http_servers", ("webhooks", "forward-auth", "console")),
    ("roadstead.authorities", ("operator", "webhooks", "forward-auth", "console")),
    ("roadstead", ("operator",)),
)
"""Which commands serve the metrics of a module, by the first prefix that matches."""
UNITS = ("seconds", "bytes", "percent", "tokens")
HEAD = """# Metrics

Written from the code by `make references`. The operator, the webhooks, forward auth and the console
serve them at `/metrics` on their port `http` (8080, of forward auth and the console 8081). The
webhooks serve nothing else there.
[Monitoring](../operations/monitoring.md) shows how to scrape them. Each process also has
`process_*` and `python_*`. The webhooks write into the ledger too, and have `roadstead_ledger_*`.

A histogram has the series `…_bucket`, `…_sum` and `…_count`. Times are seconds, timestamps are
seconds since 1970, sizes are bytes; 100 percent of CPU is one core. A metric with labels has no
series before it has a value.
"""
TABLE = """
## {title}
| metric | type | labels | unit | what |
|---|---|---|---|---|
"""


@dataclass(frozen=True, kw_only=True, order=True)
class Metric:
    """A metric as the code defines it."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str
    parts: tuple[str, ...]

    @property
    def unit(self) -> str:
        """The unit in the name, by the Prometheus conventions."""
        words = self.name.removesuffix("_total").split("_")
        if "timestamp" in words:
            return "timestamp"
        return next((word for word in reversed(words) if word in UNITS), "")


def metrics(roots: Sequence[Path] = ROOTS) -> list[Metric]:
    """All metrics of all commands, by name."""
    return sorted(
        metric
        for root in roots
        for path in sorted(root.rglob("*.py"))
        for metric in _metrics_in(path, ".".join(path.relative_to(root).with_suffix("").parts))
    )


def reference(found: Sequence[Metric]) -> str:
    """The content of the page."""
    text = HEAD
    ordered = sorted(found, key=lambda each: (_sort_key(each.parts), each.name))
    for parts, group in groupby(ordered, key=lambda each: each.parts):
        text += TABLE.format(title=_title(parts)) + "".join(map(_line, group))
    return text


def exposition(found: Sequence[Metric]) -> str:
    """A page in the exposition format, with one series of each metric."""
    registry = CollectorRegistry()
    kinds = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}
    for each in found:
        made = kinds[each.type](each.name, each.help, each.labels, registry=registry)
        if each.labels:
            made.labels(*each.labels)
    return generate_latest(registry).decode()


def _metrics_in(path: Path, module: str) -> Iterator[Metric]:
    text = path.read_text()
    if "prometheus_client" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name in TYPES and (node.args or node.keywords):
                yield _metric(TYPES[name], _arguments(node), module)


def _arguments(call: ast.Call) -> Mapping[str, ast.expr]:
    given = dict(zip(("name", "documentation", "labels"), call.args, strict=False))
    named = {each.arg: each.value for each in call.keywords if each.arg}
    labels = {"labels": named["labelnames"]} if "labelnames" in named else {}
    # A family's third argument is its value.
    return {**given, **named, **labels}


def _metric(kind: str, arguments: Mapping[str, ast.expr], module: str) -> Metric:
    name = str(_value(arguments["name"], module))
    if kind == "counter" and not name.endswith("_total"):
        name += "_total"
    labels = _value(arguments["labels"], module) if "labels" in arguments else ()
    if not isinstance(labels, list | tuple):
        raise TypeError(f"{module}: labels of {name}: expected a list, got {labels!r}")
    return Metric(
        name=name,
        type=kind,
        labels=tuple(map(str, labels)),
        help=str(_value(arguments["documentation"], module)),
        parts=next(parts for prefix, parts in PARTS if module.startswith(prefix)),
    )


def _value(node: ast.expr, module: str) -> object:
    """A literal, or the value of the module's constant that it names."""
    if isinstance(node, ast.Name):
        value: object = getattr(importlib.import_module(module), node.id)
        return value
    return ast.literal_eval(node)


def _sort_key(parts: tuple[str, ...]) -> tuple[int, str]:
    order = ("operator", "webhooks", "forward-auth")
    return (len(parts), str(order.index(parts[0])) if parts[0] in order else parts[0])


def _title(parts: tuple[str, ...]) -> str:
    names = [each.replace("forward-auth", "forward auth") for each in parts]
    title = " and ".join(names)
    return title[0].upper() + title[1:]


def _line(metric: Metric) -> str:
    labels = ", ".join(f"`{each}`" for each in metric.labels)
    description = metric.help.rstrip(".")
    return f"| `{metric.name}` | {metric.type} | {labels} | {metric.unit} | {description} |\n"
