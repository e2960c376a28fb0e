"""Common clients: OpenAI's library and curl."""

import json
import subprocess
from collections.abc import Callable, Iterator

import openai
import pytest

from tests.e2e.gateway.site import Gateway, Served

QUESTION: list[openai.types.chat.ChatCompletionMessageParam] = [
    {"role": "user", "content": "In one sentence: what is a harbour for?"}
]
MODEL = "gemma-3-270m"
Curl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def client_with(gateway: Gateway, mine: Served) -> Iterator[Callable[[str], openai.OpenAI]]:
    """The library with a token as its API key."""
    with openai.DefaultHttpxClient(verify=gateway.tls()) as http:

        def client(token: str) -> openai.OpenAI:
            base = f"{mine.url}/v1"
            return openai.OpenAI(base_url=base, api_key=token, http_client=http, max_retries=0)

        yield client


@pytest.fixture
def client(client_with: Callable[[str], openai.OpenAI], mine: Served) -> openai.OpenAI:
    """The library with a token that may use the server."""
    return client_with(mine.token)


@pytest.fixture
def curl(gateway: Gateway) -> Curl:
    """curl, trusting the gateway's CA; the last line has the status."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["curl", "-sS", "--cacert", str(gateway.ca), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_chat_is_answered(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=16, temperature=0
    )
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0


def test_streamed_chat_arrives_in_chunks(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=32, temperature=0, stream=True
    )
    pieces = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
    assert len([piece for piece in pieces if piece]) > 5


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()]


def test_library_raises_authentication_error_without_a_valid_token(
    client_with: Callable[[str], openai.OpenAI],
) -> None:
    with pytest.raises(openai.AuthenticationError, match="token") as raised:
        client_with("not-a-token").models.list()
    assert raised.value.type
    assert raised.value.response.headers["WWW-Authenticate"].startswith("Bearer ")


def test_library_raises_permission_denied_for_another_tenants_token(
    client_with: Callable[[str], openai.OpenAI], theirs: Served
) -> None:
    with pytest.raises(openai.PermissionDeniedError) as raised:
        client_with(theirs.token).models.list()
    assert raised.value.body
    assert raised.value.type


def test_errors_of_the_server_reach_the_client(client: openai.OpenAI) -> None:
    long = "harbour " * 6000
    with pytest.raises(openai.BadRequestError, match="context"):
        client.completions.create(model=MODEL, prompt=long, max_tokens=1)


def test_curl_works_with_the_url_and_a_token(curl: Curl, mine: Served) -> None:
    body = json.dumps({"messages": QUESTION, "max_tokens": 8})
    token = f"Authorization: Bearer {mine.token}"
    done = curl("-f", "-H", token, "--json", body, f"{mine.url}/v1/chat/completions")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["choices"][0]["message"]["content"]


def test_curl_uses_http2(curl: Curl, mine: Served) -> None:
    token = f"Authorization: Bearer {mine.token}"
    shown = "%{http_version} %{http_code}"
    done = curl("--http2", "-o", "/dev/null", "-w", shown, "-H", token, f"{mine.url}/health")
    assert done.stdout == "2 200", done.stderr


@pytest.mark.parametrize("scheme", ["bearer ", "BEARER ", "Bearer  "])
def test_authorization_scheme_is_case_insensitive(curl: Curl, mine: Served, scheme: str) -> None:
    shown = f"Authorization: {scheme}{mine.token}"
    done = curl("-o", "/dev/null", "-w", "%{http_code}", "-H", shown, f"{mine.url}/v1/models")
    assert done.stdout == "200", done.stderr


def test_token_is_accepted_as_x_api_key(curl: Curl, mine: Served) -> None:
    body = json.dumps({"messages": QUESTION, "max_tokens": 8, "model": MODEL})
    shown = ("-H", f"x-api-key: {mine.token}", "-H", "anthropic-version: 2023-06-01")
    done = curl("-f", *shown, "--json", body, f"{mine.url}/v1/messages")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["type"] == "message"


def test_request_without_a_token_gets_401_with_a_challenge(curl: Curl, mine: Served) -> None:
    done = curl("-i", f"{mine.url}/v1/models")
    head, _, body = done.stdout.partition("\n\n")
    assert " 401" in head.splitlines()[0]
    assert "www-authenticate: bearer" in head.lower()
    assert json.loads(body)["error"]["message"]


def test_curl_rejects_the_certificate_with_another_ca(curl: Curl, mine: Served) -> None:
    done = curl("--cacert", "/etc/ssl/certs/ca-certificates.crt", f"{mine.url}/health")
    assert done.returncode == 60, done.stderr
