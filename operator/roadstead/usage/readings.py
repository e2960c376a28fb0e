"""The result of one measurement of a container, from any source."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

PodName = tuple[str, str]
"""(namespace, name) of a pod."""
Wanted = Mapping[PodName, Mapping[str, str]]
"""The IDs of the containers to read, by pod and container name: 64 hexadecimal digits, or empty
before the container runs."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContainerReading:
    """One container; None for values that the source does not report.

    CPU is either seconds since the container started (`cpu_seconds`, at the Unix time `cpu_at`) or
    percent of one core (`cpu_percent`).
    """

    memory_bytes: int
    """The working set: memory that the kernel can't reclaim without swapping, by the kubelet."""
    peak_bytes: int | None = None
    """The kernel's peak of the memory charged to the container, including the page cache."""
    cpu_seconds: float | None = None
    cpu_at: float | None = None
    cpu_percent: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class LlamaReading:
    """Metrics of one llama-server; None for metrics that its build does not have.

    The counters start at 0 with the process, and have six digits: above a million tokens they
    increase in steps.
    """

    prompt_tokens: float | None = None
    generated_tokens: float | None = None
    """All tokens of a response are counted when it completes."""
    requests_processing: float | None = None
    requests_deferred: float | None = None
    context_tokens_max: float | None = None
    """The longest sequence of any slot, prompt and response."""
