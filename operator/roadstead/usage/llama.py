"""Parses llama-server's `/metrics`.

Its names change between builds, and each scrape resets its gauges of tokens per second. Therefore
only counters and gauges of the current state are read.
Source: llama.cpp b11434, tools/server/server-task.cpp (server_task_result_metrics::to_metrics).
"""

from __future__ import annotations

from typing import Final

from roadstead.usage.exposition import SeriesReader
from roadstead.usage.readings import LlamaReading

NAMES: Final = {
    "llamacpp:prompt_tokens_total": "prompt_tokens",
    "llamacpp:tokens_predicted_total": "generated_tokens",
    "llamacpp:requests_processing": "requests_processing",
    "llamacpp:requests_deferred": "requests_deferred",
    "llamacpp:n_tokens_max": "context_tokens_max",
}
"""The metric names, and the fields of LlamaReading."""


def parse_llama(page: bytes) -> LlamaReading:
    """Parse a page; missing values are None."""
    reader = SeriesReader(tuple(NAMES))
    series = [*reader.feed(page), *reader.close()]
    return LlamaReading(**{NAMES[item.name]: item.value for item in series if not item.labels})
