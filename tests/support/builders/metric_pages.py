"""Metrics pages of a kubelet and a llama-server, with the values that a test sets."""

from __future__ import annotations

from collections.abc import Iterator

from roadstead.usage.cadvisor import CPU, PEAK, WORKING_SET, CadvisorReader, Readings

POD = ("demo", "gemma-5b59d69488-j8pmw")
ID = "0d1d3b5a" * 8
WANTED = {POD: {"llama-server": ID}}
AT = 1_763_956_651

LLAMA = b"""\
# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed, excluding cached tokens
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 23
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total 1.23457e+06
# TYPE llamacpp:n_tokens_max counter
llamacpp:n_tokens_max 36
# TYPE llamacpp:predicted_tokens_seconds gauge
llamacpp:predicted_tokens_seconds 25.2525
llamacpp:requests_processing 1
llamacpp:requests_deferred 3
# TYPE llamacpp:spec_decode_num_accepted_tokens_per_pos_total counter
llamacpp:spec_decode_num_accepted_tokens_per_pos_total{position="0"} 7
"""
"""Output of llama.cpp b11434, shortened."""


def line(
    name: str,
    value: float | str,
    *,
    container: str = "llama-server",
    pod: tuple[str, str] = POD,
    cgroup: str = "/kubepods/pod1/c1",
    at: int | None = AT,
    **more: str,
) -> str:
    labels = {
        "container": container,
        **more,
        "id": cgroup,
        "image": "ghcr.io/ggml-org/llama.cpp:server-b11434",
        "name": "0d1d3b",
        "namespace": pod[0],
        "pod": pod[1],
    }
    written = ",".join(f'{key}="{text}"' for key, text in labels.items())
    return f"{name}{{{written}}} {value}" + (f" {at}000" if at is not None else "") + "\n"


def container(
    memory: float, peak: float | None, cpu: float, *, at: int = AT, cgroup: str = "/c1"
) -> str:
    """The lines of one container, among lines of other families."""
    lines = [
        line("container_memory_rss", 1),
        line(WORKING_SET, memory, at=at, cgroup=cgroup),
        line(CPU, cpu, at=at, cgroup=cgroup, cpu="total"),
    ]
    if peak is not None:
        lines.append(line(PEAK, peak, at=at, cgroup=cgroup))
    return "".join(lines)


def read(page: str | bytes, *, chunk: int = 2**16) -> Readings:
    """The readings of a page that is fed in chunks."""
    data = page.encode() if isinstance(page, str) else page
    reader = CadvisorReader(WANTED)
    for part in chunks(data, chunk):
        reader.feed(part)
    return reader.readings()


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]
