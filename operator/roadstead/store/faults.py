"""The store's answers and failures as errors of ours."""

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

_FULL: Final = ("XMinioStorageFull", "InsufficientStorage", "QuotaExceeded")
_FULL_ADMIN: Final = "XMinioAdminBucketQuotaExceeded"
_DENIED: Final = (
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AllAccessDisabled",
)
_SESSION: Final = ("ExpiredToken", "InvalidToken", "InvalidTokenId", "TokenRefreshRequired")
"""Of temporary keys; InvalidTokenId is MinIO's, others answer some of them with 400."""
_SKEWED: Final = ("RequestTimeTooSkewed", "RequestExpired", "AuthorizationHeaderMalformed")
_PARTS_REFUSED: Final = ("InvalidPart", "InvalidPartOrder")
"""Also where a server takes an upload away part by part."""
_CHECKSUMS: Final = ("content-md5", "x-amz-checksum")
_BUSY: Final = (429, 502, 503, 504)

FAILURES: Final = (
    S3Error,
    ServerError,
    InvalidResponseError,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
)
"""What minio-py, urllib3 and sockets raise; `fault` turns each into a StoreError."""


def answer_fault(status: int, code: str, doing: str, message: str = "") -> StoreError:
    """From an S3 answer: HTTP status, error code and message ("" where the body had none).

    What the store says is cut to 200 characters.
    """
    code = excerpt(code)
    error = _answer_fault(status, code, doing, message)
    said = excerpt(message)
    if not said:
        return error
    return type(error)(error.reason, f"{error} (the store says: {said})", retry=error.retry)


def _answer_fault(status: int, code: str, doing: str, said: str) -> StoreError:
    if code in (*_FULL, _FULL_ADMIN) or status == 507:
        return StoreError("StoreFull", f"{doing}: the store is full; free space or raise its quota")
    if code == "NoSuchUpload":
        return UploadMissing("StoreUploadMissing", f"{doing}: the store has forgotten the upload")
    if code in _PARTS_REFUSED:
        return PartsRefused("StorePartsRefused", f"{doing}: the store refuses parts of it ({code})")
    if _wants_checksum(status, code, said):
        message = f"{doing}: the store takes parts with a checksum only"
        return ChecksumRequired("StoreChecksumRequired", message)
    if status in (405, 501):
        message = f"{doing}: the store does not know this kind of request ({code or status})"
        return StoreNotImplemented("StoreNotImplemented", message)
    if code == "NoSuchBucket":
        return StoreError("StoreBucketMissing", f"{doing}: the bucket does not exist; create it")
    if code == "NoSuchKey":
        return StoreError("StoreObjectMissing", f"{doing}: the object is not in the store")
    if status == 412:
        return StoreError("StoreObjectExists", f"{doing}: another object has come to stand there")
    if code in _SKEWED:
        message = (
            f"{doing}: the store refused the signature ({code}); check both clocks, the region"
        )
        return StoreError("StoreDenied", message)
    if code == "AccessDenied":
        message = f"{doing}: the store denies it (AccessDenied); check what its keys' policy allows"
        return RightMissing("StoreDenied", message)
    if code in _SESSION:
        message = (
            f"{doing}: the store refused the session token ({code}); put accessKey, secretKey and "
            "sessionToken of one session that has not expired into the Secret, or permanent keys "
            "without a sessionToken"
        )
        return StoreError("StoreDenied", message)
    if code in _DENIED or status in (401, 403):
        message = f"{doing}: the store refused ({code or status}); check its keys and their policy"
        return StoreError("StoreDenied", message)
    if status == 500:
        return StoreBroken("StoreBusy", f"{doing}: the store answered {code or status}")
    if status in _BUSY:
        return StoreInterrupted("StoreBusy", f"{doing}: the store answered {code or status}")
    message = f"{doing}: the store answered {status} {code}".rstrip()
    return StoreError("StoreFailed", message, retry=Retry.BACKOFF)


def _wants_checksum(status: int, code: str, said: str) -> bool:
    if code in ("MissingContentMD5", "MissingContentChecksum"):
        return True
    text = said[:1000].lower()
    return status == 400 and code == "InvalidRequest" and any(name in text for name in _CHECKSUMS)


def fault(error: Exception, doing: str) -> StoreError:
    """From one of FAILURES; the message holds no URL, since urllib3's and minio-py's can."""
    if _untrusted(error):
        message = (
            f"{doing}: the store's certificate is not trusted; give its authority (SSL_CERT_FILE) "
            "and see that the certificate names the endpoint's host"
        )
        return StoreError("StoreUntrusted", message)
    match error:
        case S3Error():
            return answer_fault(error.response.status, error.code or "", doing, error.message or "")
        case ServerError():
            return answer_fault(error.status_code, "", doing)
        case InvalidResponseError():
            message = f"{doing}: what answers there is not an S3 server; check the endpoint"
            return StoreError("StoreFailed", message)
        case OSError() if error.strerror:
            why = error.strerror
        case _:
            why = type(error).__name__
    message = f"{doing}: the store can't be reached ({why}); check its endpoint and that it runs"
    return StoreInterrupted("StoreUnreachable", message)


def _untrusted(error: BaseException) -> bool:
    """Whether a certificate is at the bottom of it: urllib3 wraps the error twice."""
    inner: object = error
    while isinstance(inner, BaseException):
        if isinstance(inner, ssl.SSLCertVerificationError):
            return True
        reason = getattr(inner, "reason", None)
        inner = reason if isinstance(reason, BaseException) else next(iter(inner.args), None)
    return False
