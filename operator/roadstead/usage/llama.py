"""llama-server's own `/metrics`.

Its names move between builds, and its gauges of tokens a second are averages since whoever asked
last: asking resets them. So only counters and what is true at the moment is read.
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
"""What is read, and the field of LlamaReading that it fills."""


def parse_llama(page: bytes) -> LlamaReading:
    """What a page says; what it lacks is None."""
    reader = SeriesReader(tuple(NAMES))
    series = [*reader.feed(page), *reader.close()]
    return LlamaReading(**{NAMES[item.name]: item.value for item in series if not item.labels})
