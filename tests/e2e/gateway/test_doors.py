"""llama-server's paths that are not for callers: refused by the gateway with the API's errors."""

import pytest

from tests.e2e.gateway.connection import Connection
from tests.e2e.gateway.site import Gateway, Served

PUBLIC_PATHS = (("GET", "/v1/models"), ("GET", "/health"), ("POST", "/tokenize"))
INTERNAL_PATHS = (
    *(("GET", "/v1/stream?conv_id=a"), ("GET", "/v1/streams"), ("DELETE", "/v1/stream/a")),
    *(("GET", "/props"), ("POST", "/props"), ("GET", "/slots"), ("POST", "/slots/0?action=erase")),
    *(("GET", "/lora-adapters"), ("POST", "/lora-adapters"), ("GET", "/metrics")),
    *(("GET", "/tools"), ("POST", "/tools"), ("GET", "/cors-proxy?url=http://127.0.0.1:8080")),
    *(("POST", "/v1/chat/completions/control"), ("POST", "/models/load"), ("GET", "/index.html")),
    *(("POST", "/v1/embeddings"), ("POST", "/v1/rerank"), ("PUT", "/v1/models")),
)


@pytest.mark.parametrize(("method", "path"), INTERNAL_PATHS)
def test_internal_path_is_refused_by_the_gateway(
    gateway: Gateway, mine: Served, method: str, path: str
) -> None:
    with Connection(gateway) as connection:
        answer = connection.send(method, f"/{mine.uid}{path}", token=mine.token)
    assert answer.status == 404
    assert answer.headers.get("server") != "llama.cpp"
    assert answer.json["error"]["code"] == "PathNotServed"
    assert answer.json["error"]["type"] == "not_found_error"


@pytest.mark.parametrize(("method", "path"), PUBLIC_PATHS)
def test_public_path_is_answered_by_the_server(
    gateway: Gateway, mine: Served, method: str, path: str
) -> None:
    with Connection(gateway) as connection:
        answer = connection.send(method, f"/{mine.uid}{path}", token=mine.token)
    assert answer.status == 200
    assert answer.headers["server"] == "llama.cpp"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert "access-control-allow-origin" not in answer.headers
