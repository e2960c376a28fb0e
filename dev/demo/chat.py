"""Requests to a server with OpenAI's API."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any

from dev.demo.kubectl import Cluster
from dev.errors import DevError

QUESTION = "In one sentence: what is a harbour for?"
DATA = "data: "


def body(question: str, *, stream: bool) -> str:
    """The body of a POST to `/v1/chat/completions`, as JSON."""
    content = {
        "messages": [{"role": "user", "content": question}],
        "stream": stream,
        "max_tokens": 64,
        "temperature": 0,
        "stop": ["\nUSER:"],
    }
    return json.dumps(content)


def tokens(lines: Iterable[str]) -> Iterator[str]:
    """The texts of a streamed answer as they arrive (server-sent events, WHATWG)."""
    for line in lines:
        if line.startswith(f"{DATA}{{"):
            event: dict[str, Any] = json.loads(line.removeprefix(DATA))
            for choice in event.get("choices", ()):
                yield choice["delta"].get("content") or ""


def ask(cluster: Cluster, namespace: str, service: str, *, key: str = "") -> str:
    """The answer to `QUESTION`, through a forwarded port; `key` is the server's API key."""
    with cluster.forwarded(namespace, f"service/{service}", 80) as port:
        return completion(f"http://127.0.0.1:{port}", QUESTION, key)


def completion(base: str, question: str, key: str = "") -> str:
    """The text in the answer of `/v1/chat/completions` at `base`."""
    request = urllib.request.Request(  # noqa: S310 - always http, to a port of this machine
        f"{base}/v1/chat/completions",
        data=body(question, stream=False).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310 - as above
            answer: dict[str, Any] = json.load(response)
    except (OSError, ValueError) as error:
        raise DevError(f"the server did not answer: {error}") from error
    return str(answer["choices"][0]["message"]["content"]).strip()
