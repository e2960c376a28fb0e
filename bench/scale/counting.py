"""Figures from metrics pages: requests by verb and kind, and percentiles of histograms."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

READING: Final = ("GET", "LIST", "WATCH")
KINDS: Final = (
    "modelserves",
    "models",
    "resourcecontracts",
    "deployments",
    "services",
    "serviceaccounts",
    "networkpolicies",
    "secrets",
    "configmaps",
    "pods",
    "events",
    "namespaces",
)
"""The kinds that Roadstead uses; requests of the API server itself are not included."""

Requests = Counter[tuple[str, str]]
"""Numbers of requests, by verb and `kind` or `kind/subresource`."""

Buckets = dict[float, float]
"""A histogram: the number of values up to each bound."""


async def page(session: aiohttp.ClientSession, url: str) -> str:
    """A page of metrics."""
    async with session.get(f"{url}/metrics") as answer:
        answer.raise_for_status()
        return await answer.text()


def requests(text: str) -> Requests:
    """Requests that an API server has answered so far."""
    found: Requests = Counter()
    for labels, value in _samples(text, "apiserver_request_total"):
        if labels["resource"] in KINDS:
            parts = (labels["resource"], labels.get("subresource", ""))
            found[labels["verb"], "/".join(filter(None, parts))] += int(value)
    return found


def writing_requests(counted: Requests) -> Requests:
    """Requests that write."""
    return Counter({what: count for what, count in counted.items() if what[0] not in READING})


def writes(counted: Requests) -> int:
    """Number of requests that write."""
    return writing_requests(counted).total()


def reads(counted: Requests) -> int:
    """Number of requests that read, without watches."""
    return sum(count for (verb, _), count in counted.items() if verb in ("GET", "LIST"))


def buckets(text: str, name: str) -> Buckets:
    """The histogram `name`, over all its labels."""
    found: Counter[float] = Counter()
    for labels, value in _samples(text, f"{name}_bucket"):
        found[float(labels["le"])] += value  # type: ignore[assignment]  # counts are floats here
    return dict(found)


def since(before: Buckets, after: Buckets) -> Buckets:
    """The values between two scrapes."""
    return {edge: count - before.get(edge, 0) for edge, count in after.items()}


def quantile(found: Buckets, share: float) -> float:
    """As Prometheus' `histogram_quantile`: linear within a bucket; 0 without values."""
    edges = sorted(found)
    total = found[edges[-1]] if edges else 0
    wanted, low, below = share * total, 0.0, 0.0
    for edge in edges:
        if total and found[edge] >= wanted:
            if edge == float("inf"):
                return low
            within = found[edge] - below
            return low + (edge - low) * (wanted - below) / within if within else edge
        low, below = edge, found[edge]
    return 0.0


def _samples(text: str, name: str) -> Iterable[tuple[Mapping[str, str], float]]:
    """Only lines of this metric are parsed, since a whole page takes seconds."""
    lines = [line for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            yield sample.labels, sample.value
