"""What is told of a server once per interval."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Sequence


@dataclasses.dataclass(frozen=True, kw_only=True)
class UsageSample:
    """What one server used at a moment, all of its replicas together.

    `memory_max_bytes` is since the server was created. 100 percent of CPU is one core in full. What
    llama.cpp tells is None where none of the server's pods has told it.
    """

    server_uuid: str
    sampled_at: datetime.datetime
    """In UTC."""
    memory_current_bytes: int
    memory_max_bytes: int
    cpu_usage_percent: float
    tokens_per_second: float | None
    requests_processing: int | None
    requests_deferred: int | None


UsageSink = Callable[[Sequence[UsageSample]], None]
"""Called once per interval with a sample of each server that was measured."""
