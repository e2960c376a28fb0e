"""Why llama-server exited: the lines that name the cause, from the end of its log.

llama-server ends its log with the same lines whatever the cause is, and names the cause above
them, twice where it tries to fit the model into memory first. Source: the logs of builds 11434 and
11669 of ggml-org/llama.cpp; tests/unit/workload/logs holds some.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence

from roadstead.api.pod_messages import printable

MAX_CAUSES = 3
_SEARCHED = 4096
"""Characters. The kubelet passes on as many bytes of a container's message at most."""
_TAIL_BYTES = 2048
"""The kubelet takes so much of the end of a log, so that its first line may be half of one."""
_TIME = re.compile(r"[0-9]{1,9}\.[0-9]{2}\.[0-9]{3}\.[0-9]{3} ")
_LEVEL = re.compile(r"[DIWE] ")
_ERROR = "E"

# What follows from the cause, and is there whatever the cause is.
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
# What names a cause where lines have no level: --no-log-prefix, older builds, libraries.
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
        """Of a stack trace: `/lib/libggml.so(ggml_abort+0x14e) [0x7f40ba176b2e]`."""
        return self.text.endswith("]") and "[0x" in self.text


def causes(log: str) -> list[str]:
    """At most MAX_CAUSES lines of a log's end, without times, levels and what is always there.

    Where no line names a cause, they are the last ones; none for a stack trace alone.
    """
    lines = [line for line in _lines(log) if not line.is_frame]
    telling = [line for line in lines if not line.is_constant]
    named = _distinct(line for line in telling if line.names_a_cause)
    if len(named) > MAX_CAUSES:
        # The first one is what the others follow from, and the last ones say what was given up.
        return [named[0], *named[1 - MAX_CAUSES :]]
    return named or _distinct(telling or lines)[-MAX_CAUSES:]


def ends_with_stack_trace(log: str) -> bool:
    """Whether its last line is a frame, which pushes the cause out of what the kubelet passes on.

    So does `GGML_ASSERT`, which ends a container with 139: `abort` has no effect on its first
    process other than a segmentation fault.
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
