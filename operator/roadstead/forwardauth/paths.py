"""The requests of llama-server's HTTP API that are allowed in each mode (pure).

An allow-list, since llama-server serves more than inference, and new builds add to it. Its other
paths show or change data of all callers (`/slots`, `/props`, `/lora-adapters`, `/v1/stream`,
`/metrics`), run tools or fetch URLs (`/tools`, `/cors-proxy`).
Source: ggml-org/llama.cpp, tools/server/server.cpp.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_READ: Final = ("/v1/models", "/models", "/v1/health", "/health")
"""Paths of every mode, by GET or HEAD."""
_TEXT: Final = ("/tokenize", "/detokenize")
"""Paths of every mode, by POST."""
_POSTS: Final[Mapping[str, tuple[str, ...]]] = {
    "Chat": (
        *("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"),
        *("/chat/completions", "/completions", "/completion", "/responses", "/infill"),
        *("/v1/chat/completions/input_tokens", "/v1/responses/input_tokens"),
        *("/chat/completions/input_tokens", "/responses/input_tokens"),
        *("/v1/messages/count_tokens", "/apply-template"),
    ),
    "Embedding": ("/v1/embeddings", "/embeddings", "/embedding"),
    "Rerank": ("/v1/rerank", "/v1/reranking", "/rerank", "/reranking"),
}


def _requests(posts: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    reads = ((method, path) for method in ("GET", "HEAD") for path in _READ)
    return frozenset((*reads, *(("POST", path) for path in (*posts, *_TEXT))))


_SERVED: Final = {mode: _requests(posts) for mode, posts in _POSTS.items()}
_OF_ANY_MODE: Final = _requests(())
MODES: Final = tuple(_POSTS)


def is_served(mode: str, method: str, path: str) -> bool:
    """Return whether a server of this mode serves a request; `path` begins after its UUID.

    Paths are compared exactly: `read_forwarded` has rejected ambiguous paths, and llama-server
    distinguishes case and trailing slashes too.
    """
    return (method, path) in _SERVED.get(mode, _OF_ANY_MODE)


def describe_mode(mode: str) -> str:
    """Return a message with the requests that the mode serves."""
    main = ", ".join(f"POST {path}" for path in _POSTS.get(mode, ())[:4])
    served = f"{main} and GET /v1/models" if main else "GET /v1/models"
    return f"mode {mode} does not serve this request; it serves {served} (docs/gateway.md)"
