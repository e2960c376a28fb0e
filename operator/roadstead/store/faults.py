"""Translates error responses and failures of the store into StoreErrors."""

from __future__ import annotations

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

_FULL_CODES: Final = ("XMinioStorageFull", "InsufficientStorage", "QuotaExceeded")
_BUCKET_FULL_CODE: Final = "XMinioAdminBucketQuotaExceeded"
_DENIED_CODES: Final = (
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AllAccessDisabled",
)
_SESSION_TOKEN_CODES: Final = (
    "ExpiredToken",
    "InvalidToken",
    "InvalidTokenId",
    "TokenRefreshRequired",
)
"""For temporary keys; InvalidTokenId is MinIO's, and some stores send these with status 400."""
_SKEW_CODES: Final = ("RequestTimeTooSkewed", "RequestExpired", "AuthorizationHeaderMalformed")
_PART_CODES: Final = ("InvalidPart", "InvalidPartOrder")
"""Also returned by a server that is deleting the upload part by part."""
_CHECKSUM_HEADERS: Final = ("content-md5", "x-amz-checksum")
_BUSY_STATUSES: Final = (429, 502, 503, 504)

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
    if code in (*_FULL_CODES, _BUCKET_FULL_CODE) or status == 507:
        return StoreError(
            "StoreFull", f"{action}: the store is full; free space or raise its quota"
        )
    if code == "NoSuchUpload":
        return UploadMissing("StoreUploadMissing", f"{action}: the store no longer has the upload")
    if code in _PART_CODES:
        return PartsRefused("StorePartsRefused", f"{action}: the store refused the parts ({code})")
    if _requires_checksum(status, code, store_message):
        message = f"{action}: the store requires a checksum for each part"
        return ChecksumRequired("StoreChecksumRequired", message)
    if status in (405, 501):
        message = f"{action}: the store does not support this request ({code or status})"
        return StoreNotImplemented("StoreNotImplemented", message)
    if code == "NoSuchBucket":
        return StoreError("StoreBucketMissing", f"{action}: the bucket does not exist; create it")
    if code == "NoSuchKey":
        return StoreError("StoreObjectMissing", f"{action}: the object is not in the store")
    if status == 412:
        return StoreError("StoreObjectExists", f"{action}: another object was created at this path")
    if code in _SKEW_CODES:
        message = (
            f"{action}: the store refused the signature ({code}); check the clocks of both sides "
            "and the region"
        )
        return StoreError("StoreDenied", message)
    if code == "AccessDenied":
        message = f"{action}: the store denied access (AccessDenied); check the policy of its keys"
        return RightMissing("StoreDenied", message)
    if code in _SESSION_TOKEN_CODES:
        message = (
            f"{action}: the store refused the session token ({code}); set accessKey, secretKey and "
            "sessionToken in the Secret to those of one session that has not expired, or use "
            "permanent keys without a sessionToken"
        )
        return StoreError("StoreDenied", message)
    if code in _DENIED_CODES or status in (401, 403):
        message = f"{action}: the store refused ({code or status}); check its keys and their policy"
        return StoreError("StoreDenied", message)
    if status == 500:
        return StoreBroken("StoreBusy", f"{action}: the store answered {code or status}")
    if status in _BUSY_STATUSES:
        return StoreInterrupted("StoreBusy", f"{action}: the store answered {code or status}")
    message = f"{action}: the store answered {status} {code}".rstrip()
    return StoreError("StoreFailed", message, retry=Retry.BACKOFF)


def _requires_checksum(status: int, code: str, store_message: str) -> bool:
    if code in ("MissingContentMD5", "MissingContentChecksum"):
        return True
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
