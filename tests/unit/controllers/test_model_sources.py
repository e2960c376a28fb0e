"""The source of a Model, and the errors if it is incomplete."""

import base64
from typing import Any

import pytest

from roadstead.api.model import Model
from roadstead.controllers.model.model_sources import Sources
from roadstead.errors import KubeError, KubeNotFound, KubeRejected, Retry, SourceError
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import Resource
from roadstead.transfer.messages import QuantInput, UrlInput


class Secrets:
    """One Secret, or an error of the API server."""

    def __init__(self, answer: dict[str, str] | KubeError) -> None:
        self._answer = answer

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        if isinstance(self._answer, KubeError):
            raise self._answer
        data = {key: base64.b64encode(text.encode()).decode() for key, text in self._answer.items()}
        return {"metadata": {"resourceVersion": "7"}, "data": data}


def sources(answer: dict[str, str] | KubeError, *, quant: str = "") -> Sources:
    return Sources(Secrets(answer), namespace="roadstead-system", quant_endpoint=quant)


def model(**source: Any) -> Model:
    return Model.parse({"metadata": {"name": "m"}, "spec": {"source": source}})


PRESIGNED = model(presignedUrl={"secretRef": {"name": "link"}})


async def test_a_presigned_url_is_read_from_its_secret() -> None:
    found = await sources({"url": "https://example.com/x?sig=1\n"}).source(PRESIGNED)
    assert found == UrlInput(url="https://example.com/x?sig=1")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(KubeNotFound("", status=404), "does not exist", id="missing"),
        pytest.param(KubeRejected("", status=403), "can't be read by the operator", id="refused"),
        pytest.param({"other": "x"}, "has no URL in its key 'url'", id="other key"),
    ],
)
async def test_an_unusable_secret_is_named_in_the_error(
    answer: dict[str, str] | KubeError, message: str
) -> None:
    with pytest.raises(SourceError, match=f"roadstead-system/link {message}") as caught:
        await sources(answer).source(PRESIGNED)
    assert (caught.value.reason, caught.value.retry) == ("SourceSecretMissing", Retry.ON_CHANGE)


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        pytest.param({"url": "x"}, "7", id="there"),
        pytest.param(KubeNotFound("", status=404), "missing", id="missing"),
        pytest.param(KubeRejected("", status=403), "refused", id="refused"),
    ],
)
async def test_the_version_changes_with_the_secret(
    answer: dict[str, str] | KubeError, version: str
) -> None:
    assert await sources(answer).version(PRESIGNED) == version


async def test_the_default_quant_service_is_used_if_the_model_names_none() -> None:
    found = await sources({}, quant="http://quant:8090/").source(model(quant={"modelId": "m"}))
    assert found == QuantInput(endpoint="http://quant:8090", model_id="m")


async def test_a_missing_quant_endpoint_is_an_error() -> None:
    with pytest.raises(SourceError, match=r"spec\.source\.quant\.endpoint is not set"):
        await sources({}).source(model(quant={"modelId": "m"}))
