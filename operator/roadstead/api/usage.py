"""The usage of a server, sampled once per interval."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Sequence


@dataclasses.dataclass(frozen=True, kw_only=True)
class UsageSample:
    """The usage of one server at a time, all replicas together.

    `memory_max_bytes` is since the server was created. 100 percent of CPU is one core. The
    metrics of llama.cpp are None if none of the server's pods reported them.
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
"""Called once per interval with a sample of each measured server."""
