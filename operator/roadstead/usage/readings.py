"""What one look at a container came to, whichever way it was asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

PodName = tuple[str, str]
"""(namespace, name) of a pod."""
Wanted = Mapping[PodName, Mapping[str, str]]
"""The containers that are asked for, by pod and name, each with its ID: 64 hexadecimal digits,
empty before it runs."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContainerReading:
    """One container; None is what the source does not tell.

    CPU is told either as seconds since the container started (`cpu_seconds`, at the Unix time
    `cpu_at`) or as percent of one core (`cpu_percent`).
    """

    memory_bytes: int
    """The working set: what the kernel can't take back without swapping, by the kubelet's count."""
    peak_bytes: int | None = None
    """The kernel's own peak of what is charged to the container, page cache included."""
    cpu_seconds: float | None = None
    cpu_at: float | None = None
    cpu_percent: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class LlamaReading:
    """One llama-server's own metrics; None where this build does not have one.

    The counters begin at 0 with the process, and are told with six digits: beyond a million tokens
    they move in steps.
    """

    prompt_tokens: float | None = None
    generated_tokens: float | None = None
    """Counted as an answer ends, all of its tokens at once."""
    requests_processing: float | None = None
    requests_deferred: float | None = None
    context_tokens_max: float | None = None
    """The longest sequence, prompt and answer, that any slot has held."""
