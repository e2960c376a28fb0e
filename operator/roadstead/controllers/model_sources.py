"""Where a Model's bytes come from: the job that a transfer gets."""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from typing import Protocol

from roadstead.api.location import StoreLocation
from roadstead.api.model import Model, PresignedSource, QuantSource, StoredSource, UploadState
from roadstead.errors import KubeNotFound, KubeRejected, Retry, SourceError
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import SECRETS, Resource
from roadstead.transfer import messages


class SecretReader(Protocol):
    """The part of the API client that reads a Secret."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; KubeNotFound if it is not there."""


class Sources:
    """Turns `spec.source` into what `roadstead transfer` reads from.

    `namespace` is where Secrets are looked for that name none, `quant_endpoint` the Quant service
    of sources that name none.
    """

    def __init__(self, client: SecretReader, *, namespace: str, quant_endpoint: str) -> None:
        self._client = client
        self._namespace = namespace
        self._quant_endpoint = quant_endpoint

    async def version(self, model: Model) -> str:
        """Changes when another attempt may find something else: the Secret's version."""
        if not isinstance(model.source, PresignedSource):
            return ""
        try:
            secret = await self._secret(model.source)
        except KubeNotFound:
            return "missing"
        except KubeRejected:
            return "refused"
        return str(secret["metadata"]["resourceVersion"])

    async def source(self, model: Model) -> messages.Source:
        """What to read from; SourceError says what is missing."""
        match model.source:
            case QuantSource(model_id=model_id, endpoint=endpoint):
                return self._quant(model_id, endpoint)
            case PresignedSource():
                return messages.UrlInput(url=await self._url(model.source))
            case StoredSource():
                return messages.StoredInput()

    def _quant(self, model_id: str, endpoint: str) -> messages.QuantInput:
        chosen = endpoint or self._quant_endpoint
        if not chosen:
            message = (
                "spec.source.quant.endpoint is not set and the operator has no default; "
                "write the Quant service's URL there or into the chart's quant.endpoint"
            )
            raise SourceError("QuantEndpointMissing", message, retry=Retry.ON_CHANGE)
        return messages.QuantInput(endpoint=chosen.rstrip("/"), model_id=model_id)

    async def _url(self, source: PresignedSource) -> str:
        try:
            secret = await self._secret(source)
            url = base64.b64decode(secret.get("data", {})[source.key], validate=True).decode()
        except KubeNotFound:
            raise self._unusable(source, "is not there; create it") from None
        except KubeRejected as error:
            message = "may not be read by the operator; give its ServiceAccount the right to get it"
            forbidden = error.status == HTTPStatus.FORBIDDEN
            raise self._unusable(
                source, message if forbidden else f"can't be read: {error}"
            ) from None
        except (KeyError, binascii.Error, UnicodeDecodeError):
            raise self._unusable(source, f"has no key {source.key!r} with a URL") from None
        return url.strip()

    async def _secret(self, source: PresignedSource) -> Object:
        return await self._client.get(SECRETS, source.secret, source.namespace or self._namespace)

    def _unusable(self, source: PresignedSource, what: str) -> SourceError:
        where = f"{source.namespace or self._namespace}/{source.secret}"
        return SourceError("SourceSecretMissing", f"Secret {where} {what}", retry=Retry.ON_CHANGE)


def transfer_job(
    model: Model, source: messages.Source, target: StoreLocation
) -> messages.TransferJob:
    """The job for one transfer; it goes on with the upload that the status tells of."""
    return messages.TransferJob(
        model_uid=model.meta.uid,
        model_name=model.meta.name,
        source=source,
        target=target,
        expected_sha256=model.sha256 or None,
        resume=_resume(model.upload) if model.upload is not None else None,
    )


def _resume(upload: UploadState) -> messages.Resume:
    return messages.Resume(
        upload_id=upload.upload_id,
        key=upload.key,
        part_size_bytes=upload.part_size,
        source_etag=upload.source_etag,
        size_bytes=upload.size,
    )
