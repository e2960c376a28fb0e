"""The meaning of a container's exit codes that denote a signal: 128 plus its number."""

from __future__ import annotations

KILLED = 137

_MEANINGS = {
    132: "the image needs CPU instructions that this node lacks: use an image that is built for "
    "the node's CPU, or choose other nodes with spec.config.nodeSelector",
    134: "it aborted, because an internal check failed",
    135: "it crashed, because a mapped file could not be read",
    136: "it crashed with an arithmetic error",
    KILLED: "it was killed, and not for its memory limit: the startup or liveness probe failed "
    "(loading may take spec.config.startupTimeoutSeconds), or the node ran short of memory or "
    "was shut down; see the pod's Events",
    139: "it crashed",
    143: "it was terminated before it was ready",
}


def meaning(code: object) -> str:
    """The meaning of an exit code; empty if only the log has the cause."""
    return _MEANINGS.get(code, "") if isinstance(code, int) else ""
