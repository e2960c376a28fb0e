"""Translates error responses and failures of the store into StoreErrors."""

from __future__ import annotations

import dataclasses
import http.client
import ssl
from typing import Final

import urllib3.exceptions
from minio.error import InvalidResponseError, S3Error, ServerError

from roadstead.errors import (
    ChecksumRequired,
    PartsRefused,
    Retry,
    RightMissing,
    StoreBroken,
    StoreError,
    StoreInterrupted,
    StoreNotImplemented,
    UploadMissing,
)
from roadstead.excerpts import excerpt

_CHECKSUM_CODE: Final = "MissingContentChecksum"
_CHECKSUM_HEADERS: Final = ("content-md5", "x-amz-checksum")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Rule:
    """The error of responses with one of these codes or statuses.

    `{code}` in the message is the response's code, or its status if it has none.
    """

    error: type[StoreError] = StoreError
    reason: str
    message: str
    codes: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()


_RULES: Final = (
    _Rule(
        codes=(
            "XMinioStorageFull",
            "InsufficientStorage",
            "QuotaExceeded",
            "XMinioAdminBucketQuotaExceeded",
        ),
        statuses=(507,),
        reason="StoreFull",
        message="the store is full; free space or raise its quota",
    ),
    _Rule(
        codes=("NoSuchUpload",),
        error=UploadMissing,
        reason="StoreUploadMissing",
        message="the store no longer has the upload",
    ),
    _Rule(
        # Also returned by a server that is deleting the upload part by part.
        codes=("InvalidPart", "InvalidPartOrder"),
        error=PartsRefused,
        reason="StorePartsRefused",
        message="the store refused the parts ({code})",
    ),
    _Rule(
        codes=(_CHECKSUM_CODE, "MissingContentMD5"),
        error=ChecksumRequired,
        reason="StoreChecksumRequired",
        message="the store requires a checksum for each part",
    ),
    _Rule(
        statuses=(405, 501),
        error=StoreNotImplemented,
        reason="StoreNotImplemented",
        message="the store does not support this request ({code})",
    ),
    _Rule(
        codes=("NoSuchBucket",),
        reason="StoreBucketMissing",
        message="the bucket does not exist; create it",
    ),
    _Rule(
        codes=("NoSuchKey",),
        reason="StoreObjectMissing",
        message="the object is not in the store",
    ),
    _Rule(
        statuses=(412,),
        reason="StoreObjectExists",
        message="another object was created at this path",
    ),
    _Rule(
        codes=("RequestTimeTooSkewed", "RequestExpired", "AuthorizationHeaderMalformed"),
        reason="StoreDenied",
        message="the store refused the signature ({code}); check the clocks of both sides "
        "and the region",
    ),
    _Rule(
        codes=("AccessDenied",),
        error=RightMissing,
        reason="StoreDenied",
        message="the store denied access (AccessDenied); check the policy of its keys",
    ),
    _Rule(
        # Of temporary keys; InvalidTokenId is MinIO's, and some stores send these with status 400.
        codes=("ExpiredToken", "InvalidToken", "InvalidTokenId", "TokenRefreshRequired"),
        reason="StoreDenied",
        message="the store refused the session token ({code}); set accessKey, secretKey and "
        "sessionToken in the Secret to those of one session that has not expired, or use "
        "permanent keys without a sessionToken",
    ),
    _Rule(
        codes=("InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled"),
        statuses=(401, 403),
        reason="StoreDenied",
        message="the store refused ({code}); check its keys and their policy",
    ),
    _Rule(
        statuses=(500,),
        error=StoreBroken,
        reason="StoreBusy",
        message="the store answered {code}",
    ),
    _Rule(
        statuses=(429, 502, 503, 504),
        error=StoreInterrupted,
        reason="StoreBusy",
        message="the store answered {code}",
    ),
)
"""The first rule that applies counts: stores send codes with different statuses."""

CLIENT_ERRORS: Final = (
    S3Error,
    ServerError,
    InvalidResponseError,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
)
"""What minio-py, urllib3 and sockets raise; `translate_error` turns each into a StoreError."""


def translate_response(status: int, code: str, action: str, message: str = "") -> StoreError:
    """Translate an S3 response: HTTP status, error code and message ("" if the body has none).

    The store's message is truncated to 200 characters.
    """
    code = excerpt(code)
    error = _response_error(status, code, action, message)
    quoted = excerpt(message)
    if not quoted:
        return error
    return type(error)(error.reason, f"{error} (message of the store: {quoted})", retry=error.retry)


def _response_error(status: int, code: str, action: str, store_message: str) -> StoreError:
    found = _CHECKSUM_CODE if _requires_checksum(status, code, store_message) else code
    for rule in _RULES:
        if found in rule.codes or status in rule.statuses:
            message = rule.message.format(code=code or status)
            return rule.error(rule.reason, f"{action}: {message}")
    message = f"{action}: the store answered {status} {code}".rstrip()
    return StoreError("StoreFailed", message, retry=Retry.BACKOFF)


def _requires_checksum(status: int, code: str, store_message: str) -> bool:
    """Whether only the text says so."""
    text = store_message[:1000].lower()
    return (
        status == 400
        and code == "InvalidRequest"
        and any(name in text for name in _CHECKSUM_HEADERS)
    )


def translate_error(error: Exception, action: str) -> StoreError:
    """Translate one of CLIENT_ERRORS; the message has no URL, unlike the library's."""
    if _is_untrusted_certificate(error):
        message = (
            f"{action}: the store's certificate is not trusted; add its authority to the chart's "
            "value trust, and check that the certificate names the endpoint's host"
        )
        return StoreError("StoreUntrusted", message)
    match error:
        case S3Error():
            return translate_response(
                error.response.status, error.code or "", action, error.message or ""
            )
        case ServerError():
            return translate_response(error.status_code, "", action)
        case InvalidResponseError():
            message = f"{action}: the endpoint is not an S3 server; check the endpoint"
            return StoreError("StoreFailed", message)
        case OSError() if error.strerror:
            why = error.strerror
        case _:
            why = type(error).__name__
    message = f"{action}: the store can't be reached ({why}); check its endpoint and that it runs"
    return StoreInterrupted("StoreUnreachable", message)


def _is_untrusted_certificate(error: BaseException) -> bool:
    """Whether the cause is a certificate that failed verification: urllib3 wraps it twice."""
    inner: object = error
    while isinstance(inner, BaseException):
        if isinstance(inner, ssl.SSLCertVerificationError):
            return True
        reason = getattr(inner, "reason", None)
        inner = reason if isinstance(reason, BaseException) else next(iter(inner.args), None)
    return False
