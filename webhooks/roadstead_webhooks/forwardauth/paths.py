"""Which requests of llama-server's HTTP API pass, by the server's mode (pure).

An allow-list: llama-server has more than inference, and new builds add to it. Its other paths show
or change what belongs to all callers (`/slots`, `/props`, `/lora-adapters`, `/v1/stream`,
`/metrics`), run tools or fetch URLs (`/tools`, `/cors-proxy`).
Source: ggml-org/llama.cpp, tools/server/server.cpp.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_READ: Final = ("/v1/models", "/models", "/v1/health", "/health")
"""Of every mode, by GET or HEAD."""
_TEXT: Final = ("/tokenize", "/detokenize")
"""Of every mode, by POST."""
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
    """Whether a server of this mode answers this; `path` begins after its UUID, without a query.

    Paths are compared as they are: `read_forwarded` has refused those with more than one reading,
    and llama-server tells upper case and a slash at the end apart too.
    """
    return (method, path) in _SERVED.get(mode, _OF_ANY_MODE)


def refusal(mode: str) -> str:
    """What to ask instead, for a caller."""
    main = ", ".join(f"POST {path}" for path in _POSTS.get(mode, ())[:4])
    tried = f"{main} and GET /v1/models" if main else "GET /v1/models"
    return f"a server in mode {mode} answers no such request; it answers {tried} (docs/gateway.md)"
