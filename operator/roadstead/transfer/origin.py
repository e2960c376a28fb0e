"""The source of a model: its URLs, its size and the expected digest."""

from __future__ import annotations

import dataclasses

from roadstead.errors import ContentError, Retry, SourceChanged, SourceError
from roadstead.source.dial import Egress
from roadstead.source.quant_client import QuantAnswer, QuantClient
from roadstead.source.ranges import RangeReader, SourceObject
from roadstead.source.retry_policy import RetryPolicy
from roadstead.source.urls import FixedUrl, RenewedUrls, Urls
from roadstead.transfer.messages import QuantInput, UrlInput
from roadstead.transfer.transfer_settings import TransferSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Origin:
    """A source that responded: its URLs, its object, and the expected sha256 and quantization."""

    urls: Urls
    egress: Egress
    found: SourceObject
    sha256: str | None
    quantization: str | None

    def reader(self) -> RangeReader:
        """Return a reader with a new connection."""
        return RangeReader(self.urls, self.egress, self.found)


def find_origin(
    source: QuantInput | UrlInput,
    expected_sha256: str | None,
    settings: TransferSettings,
    retry_policy: RetryPolicy,
) -> Origin:
    """Read size and digest from the source; raises SourceError, or ContentError if they differ."""
    if isinstance(source, UrlInput):
        urls: Urls = FixedUrl(source.url)
        found = _probe(urls, settings.sources, retry_policy)
        return Origin(
            urls=urls,
            egress=settings.sources,
            found=found,
            sha256=expected_sha256,
            quantization=None,
        )
    client = _quant_client(source, settings)
    answer = retry_policy.run(lambda: client.get_download_url(source.model_id))
    if None not in (expected_sha256, answer.sha256) and expected_sha256 != answer.sha256:
        raise ContentError(
            "DigestMismatch",
            f"spec.sha256 is {expected_sha256}, but the Quant service reports {answer.sha256} for "
            f"{source.model_id!r}; correct one of them",
        )
    urls = RenewedUrls(lambda: _renew_url(client, source.model_id, answer), first=answer.url)
    found = _probe(urls, settings.sources, retry_policy)
    if answer.size_bytes not in (None, found.size):
        raise SourceError(
            "SizeMismatch",
            f"the Quant service reports {answer.size_bytes} bytes for {source.model_id!r}, but the "
            f"object at its URL has {found.size}",
        )
    return Origin(
        urls=urls,
        egress=settings.sources,
        found=found,
        sha256=expected_sha256 or answer.sha256,
        quantization=answer.quantization,
    )


def _quant_client(source: QuantInput, settings: TransferSettings) -> QuantClient:
    if settings.quant_key_file is None:
        raise SourceError(
            "SourceUnauthorized",
            "the key for the Quant service is not set (ROADSTEAD_QUANT_KEY_FILE)",
            retry=Retry.ON_CHANGE,
        )
    is_own = source.endpoint.rstrip("/") == settings.quant_endpoint
    egress = settings.own_quant if is_own else settings.sources
    return QuantClient(source.endpoint, settings.quant_key_file, egress)


def _renew_url(client: QuantClient, model_id: str, first: QuantAnswer) -> str:
    answer = client.get_download_url(model_id)
    if (answer.sha256, answer.size_bytes) != (first.sha256, first.size_bytes):
        message = f"the Quant service replaced model {model_id!r} since the transfer started"
        raise SourceChanged("SourceChanged", message)
    return answer.url


def _probe(urls: Urls, egress: Egress, retry_policy: RetryPolicy) -> SourceObject:
    reader = RangeReader(urls, egress)
    try:
        return retry_policy.run(reader.probe)
    finally:
        reader.close()
