"""The Quant service and its client, over a real source store."""

import datetime
import io
import json
import urllib.error
import urllib.request

import pytest
from minio import Minio

from roadstead import tokens
from roadstead.errors import ModelUnknown, SourceError
from roadstead.source.dial import Anywhere, Egress
from roadstead.source.quant_client import AUDIENCE, ISSUER, QuantClient
from tests.support.quant_process import QuantProcess


@pytest.fixture
def quant_client(quant: QuantProcess) -> QuantClient:
    """The operator's client."""
    return QuantClient(quant.endpoint, quant.key_file, Egress(policy=Anywhere()))


def status(quant: QuantProcess, path: str, token: str | None) -> tuple[int, str]:
    """Return the status of a response and its challenge."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(quant.endpoint + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("WWW-Authenticate", "")


def token(quant: QuantProcess, *, audience: str = AUDIENCE, age: int = 0) -> str:
    """Return a token that was issued `age` seconds ago and is valid for a minute."""
    return tokens.issue(
        quant.key_file.read_bytes(),
        subject="test",
        audience=audience,
        issuer=ISSUER,
        lifetime=datetime.timedelta(minutes=1),
        now=datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age),
    )


async def test_model_is_described(
    quant_client: QuantClient, source_client: Minio, content: bytes, sha256: str
) -> None:
    source_client.put_object("quantised", "described.gguf", io.BytesIO(content), len(content))
    answer = await quant_client.download_url("described")
    assert (answer.size_bytes, answer.sha256, answer.quantization) == (len(content), sha256, "Q8_0")
    assert answer.expires_at is not None
    assert answer.expires_at > datetime.datetime.now(datetime.UTC)


@pytest.mark.parametrize("model_id", ["Org/Model-GGUF:Q4_K_M", "hf.co/_o/M@refs/pr/1", "a+b..c"])
def test_model_is_known_by_the_name_it_has_at_hugging_face(
    quant_client: QuantClient,
    source_client: Minio,
    quant: QuantProcess,
    content: bytes,
    model_id: str,
) -> None:
    source_client.put_object("quantised", f"{model_id}.gguf", io.BytesIO(content), len(content))
    answer = quant_client.get_download_url(model_id)
    with urllib.request.urlopen(answer.url, timeout=60) as response:
        assert response.read() == content
    assert model_id in listed(quant)
    assert status(quant, f"/download-url/{model_id}", token(quant)) == (200, "")


async def test_digest_follows_the_object(quant_client: QuantClient, source_client: Minio) -> None:
    source_client.put_object("quantised", "changing.gguf", io.BytesIO(b"one"), 3)
    before = await quant_client.download_url("changing")
    source_client.put_object("quantised", "changing.gguf", io.BytesIO(b"two"), 3)
    assert (await quant_client.download_url("changing")).sha256 != before.sha256


async def test_unknown_model_is_named(quant_client: QuantClient) -> None:
    with pytest.raises(ModelUnknown, match="no-such-model"):
        await quant_client.download_url("no-such-model")


@pytest.mark.parametrize(
    "model_id",
    ["../other/model", "a/../../other/model", "/a", "a//b", "a/", "a?b", "a\nb", "a" * 254],
)
async def test_model_id_outside_the_bucket_is_unknown(
    quant_client: QuantClient, model_id: str
) -> None:
    with pytest.raises(ModelUnknown):
        await quant_client.download_url(model_id)


async def test_removed_model_is_gone(quant_client: QuantClient, source_client: Minio) -> None:
    source_client.put_object("quantised", "removed.gguf", io.BytesIO(b"gguf"), 4)
    await quant_client.download_url("removed")
    source_client.remove_object("quantised", "removed.gguf")
    with pytest.raises(SourceError) as caught:
        await quant_client.download_url("removed")
    assert caught.value.reason == "SourceGone"


def listed(quant: QuantProcess) -> list[str]:
    """Return the response of `GET /models`."""
    headers = {"Authorization": f"Bearer {token(quant)}"}
    request = urllib.request.Request(f"{quant.endpoint}/models", headers=headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        found: list[str] = json.load(response)["models"]
        return found


def test_models_are_listed(quant: QuantProcess, source_client: Minio) -> None:
    source_client.put_object("quantised", "listed.gguf", io.BytesIO(b"gguf"), 4)
    assert "listed" in listed(quant)


def test_caller_without_a_token_is_challenged(quant: QuantProcess) -> None:
    code, challenge = status(quant, "/models", None)
    assert code == 401
    assert challenge.startswith("Bearer ")


def test_expired_token_is_refused(quant: QuantProcess) -> None:
    assert status(quant, "/models", token(quant, age=3600))[0] == 401


def test_token_for_another_audience_is_refused(quant: QuantProcess) -> None:
    assert status(quant, "/models", token(quant, audience="elsewhere"))[0] == 401
