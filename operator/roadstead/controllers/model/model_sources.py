"""The source of a Model, its location in the store, and the job that a transfer gets."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from http import HTTPStatus

from roadstead.api.model import (
    Model,
    PresignedSource,
    QuantSource,
    StoredSource,
    StoreLocation,
    UploadState,
)
from roadstead.controllers.object_access import ObjectReader
from roadstead.errors import KubeNotFound, KubeRejected, Retry, SourceError
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import SECRETS
from roadstead.transfer import messages

InTransfer = Callable[[Model], bool]
"""Whether a transfer of the Model runs."""


def owner(models: Iterable[Model], target: StoreLocation, *, in_transfer: InTransfer) -> Model:
    """The owner of `target`: the Model with an object there, then with a transfer, then the oldest.

    `models` are all Models that name `target`, at least one. Age alone is not enough: creation
    times have whole seconds, and an older Model may be changed to a location that is in use.
    """
    return min(models, key=lambda model: _rank(model, target, in_transfer=in_transfer))


def _rank(
    model: Model, target: StoreLocation, *, in_transfer: InTransfer
) -> tuple[bool, bool, str, str]:
    upload = model.upload
    transferring = in_transfer(model) or (upload is not None and upload.key == target.path)
    return model.stored_at != target, not transferring, model.meta.created, model.meta.uid


class Sources:
    """Converts `spec.source` to the input of `roadstead transfer`.

    `namespace` is the default namespace of Secrets, `quant_endpoint` the default Quant service.
    """

    def __init__(self, client: ObjectReader, *, namespace: str, quant_endpoint: str) -> None:
        self._client = client
        self._namespace = namespace
        self._quant_endpoint = quant_endpoint

    async def version(self, model: Model) -> str:
        """The version of the Secret with the URL: if it changes, another attempt may succeed."""
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
        """The input of the transfer; raises SourceError if something is missing."""
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
                "set it there, or set quant.endpoint in the chart's values"
            )
            raise SourceError("QuantEndpointMissing", message, retry=Retry.ON_CHANGE)
        return messages.QuantInput(endpoint=chosen.rstrip("/"), model_id=model_id)

    async def _url(self, source: PresignedSource) -> str:
        try:
            secret = await self._secret(source)
            url = base64.b64decode(secret.get("data", {})[source.key], validate=True).decode()
        except KubeNotFound:
            raise self._unusable(source, "does not exist; create it") from None
        except KubeRejected as error:
            message = "can't be read by the operator: allow its ServiceAccount to get it"
            forbidden = error.status == HTTPStatus.FORBIDDEN
            raise self._unusable(
                source, message if forbidden else f"can't be read: {error}"
            ) from None
        except (KeyError, binascii.Error, UnicodeDecodeError):
            raise self._unusable(source, f"has no URL in its key {source.key!r}") from None
        return url.strip()

    async def _secret(self, source: PresignedSource) -> Object:
        return await self._client.get(SECRETS, source.secret, source.namespace or self._namespace)

    def _unusable(self, source: PresignedSource, what: str) -> SourceError:
        where = f"{source.namespace or self._namespace}/{source.secret}"
        return SourceError("SourceSecretMissing", f"Secret {where} {what}", retry=Retry.ON_CHANGE)


def transfer_job(
    model: Model, source: messages.Source, target: StoreLocation
) -> messages.TransferJob:
    """The job for one transfer; it resumes the upload in the status, if there is one."""
    return messages.TransferJob(
        model_uid=model.meta.uid,
        model_name=model.meta.name,
        source=source,
        target=target,
        expected_sha256=model.sha256 or None,
        kept_sha256=model.kept_sha256 or None,
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
