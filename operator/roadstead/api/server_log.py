"""Why llama-server exited: the lines that name the cause, from the end of its log.

The last lines of llama-server's log are the same for every cause; the cause is above them, twice if
it tries to fit the model into memory first. Source: the logs of builds 11434 and 11669 of
ggml-org/llama.cpp; tests/unit/workload/logs has examples.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence

from roadstead.api.pod_messages import printable

MAX_CAUSES = 3
_SEARCHED = 4096
"""Characters. The kubelet reports at most as many bytes of a container's message."""
_TAIL_BYTES = 2048
"""The kubelet reports at most so much of a log's end, so its first line may be incomplete."""
_TIME = re.compile(r"[0-9]{1,9}\.[0-9]{2}\.[0-9]{3}\.[0-9]{3} ")
_LEVEL = re.compile(r"[DIWE] ")
_ERROR = "E"

# Consequences, which are logged for every cause.
_CONSTANT = (
    "failed to load model",
    "failed to create context",
    "failed to create_context",
    "encountered an error while trying to fit params",
    "failed to read header",
    "failed to read key-value pairs",
    "failed to read tensor info",
    "cleaning up before exit",
    "exiting due to",
)
# Marks of a cause in lines without a level: --no-log-prefix, older builds, libraries.
_NAMES_A_CAUSE = (
    "error",
    "failed",
    "failure",
    "ggml_assert",
    "exception",
    "terminate called",
    "what():",
    "out of memory",
    "gguf_init",
    "llama_init_from_model:",
    "llama_new_context_with_model:",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Line:
    level: str
    text: str

    @property
    def names_a_cause(self) -> bool:
        if self.level:
            return self.level == _ERROR
        lower = self.text.lower()
        return any(part in lower for part in _NAMES_A_CAUSE)

    @property
    def is_constant(self) -> bool:
        return any(part in self.text for part in _CONSTANT)

    @property
    def is_frame(self) -> bool:
        """Whether it is part of a stack trace: `libggml.so(ggml_abort+0x14e) [0x7f40ba176b2e]`."""
        return self.text.endswith("]") and "[0x" in self.text


def find_causes(log: str) -> list[str]:
    """At most MAX_CAUSES lines of a log's end, without times, levels and constant lines.

    If no line names a cause, they are the last ones; empty for a stack trace alone.
    """
    lines = [line for line in _lines(log) if not line.is_frame]
    specific = [line for line in lines if not line.is_constant]
    named = _distinct(line for line in specific if line.names_a_cause)
    if len(named) > MAX_CAUSES:
        # The first one caused the others, and the last ones name what failed in the end.
        return [named[0], *named[1 - MAX_CAUSES :]]
    return named or _distinct(specific or lines)[-MAX_CAUSES:]


def ends_with_stack_trace(log: str) -> bool:
    """Whether its last line is a stack frame: then the kubelet's message may lack the cause.

    `GGML_ASSERT` logs a stack trace too. Its container exits with 139, since `abort` in the first
    process of a container becomes a segmentation fault.
    """
    return any(line.is_frame for line in list(_lines(log))[-1:])


def _lines(log: str) -> Iterator[_Line]:
    for raw in _whole_lines(log[-_SEARCHED:]):
        if line := _line(printable(raw)):
            yield line


def _whole_lines(text: str) -> Sequence[str]:
    lines = text.splitlines()
    cut = len(text.encode(errors="replace")) >= _TAIL_BYTES
    return lines[1:] if cut and len(lines) > 1 else lines


def _line(text: str) -> _Line | None:
    level, time = "", _TIME.match(text)
    text = text[time.end() :] if time else text
    if _LEVEL.match(text):
        level, text = text[0], text[2:]
    words = " ".join(text.split())
    return _Line(level=level, text=words) if words else None


def _distinct(lines: Iterable[_Line]) -> list[str]:
    return list(dict.fromkeys(line.text for line in lines))
