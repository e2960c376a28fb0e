"""Translates a source's error responses into SourceErrors. Pure.

A 403 has many causes, which S3 servers distinguish by the code in the body. AWS and MinIO also
send AccessDenied for an expired URL; then only the message has the cause.
"""

from __future__ import annotations

import datetime
from typing import Final

from roadstead.errors import (
    Retry,
    SourceChanged,
    SourceDenied,
    SourceError,
    SourceExpired,
    SourceInterrupted,
)
from roadstead.source.source_responses import SourceAnswer
from roadstead.source.validity import Validity

CLOCK_TOLERANCE: Final = datetime.timedelta(minutes=1)
EXPIRED_CODES: Final = (
    "ExpiredToken",
    "TokenRefreshRequired",
    "RequestExpired",
    "ExpiredRequest",
)
"""The credentials that signed the URL have expired, or the URL has (NooBaa, Cloudflare R2)."""
SKEWED_CODES: Final = ("RequestTimeTooSkewed", "RequestNotYetValid")
SIGNATURE_CODES: Final = (
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
    "InvalidToken",
    "InvalidTokenId",
    "InvalidSecurity",
    "AuthorizationQueryParametersError",
    "AuthenticationFailed",
)
REGION_CODES: Final = ("PermanentRedirect", "AuthorizationHeaderMalformed")
_TRANSIENT_STATUSES: Final = (408, 429, 500, 502, 503, 504)


def interpret_response(
    answer: SourceAnswer,
    where: str,
    *,
    validity: Validity | None,
    now: datetime.datetime,
    is_first: bool,
) -> SourceError | None:
    """Return the error for a response to a range request, None if it has the range.

    `is_first` is whether it is the first request for the object.
    """
    match answer.status:
        case 206:
            return None
        case 200 | 412 | 416:
            return _other_object(answer, where, is_first=is_first)
        case 300 | 301 | 302 | 303 | 307 | 308:
            return _wrong_place(answer, where)
        case 400 | 403:
            return _denied(answer, where, validity, now)
        case 401:
            message = f"{where}: requires credentials ({answer.summary}); use a presigned URL"
            return SourceError("SourceUnauthorized", message, retry=Retry.ON_CHANGE)
        case 404:
            message = f"{where}: not found ({answer.summary})"
            return SourceError("SourceNotFound", message, retry=Retry.ON_CHANGE)
        case 407:
            message = f"{where}: a proxy requires credentials ({answer.summary}); "
            return SourceError("SourceUnusable", f"{message}let the operator's pods pass it")
        case 410:
            message = f"{where}: gone ({answer.summary})"
            return SourceError("SourceGone", message, retry=Retry.ON_CHANGE)
    if answer.status in _TRANSIENT_STATUSES:
        return SourceInterrupted("SourceUnavailable", f"{where}: answered {answer.summary}")
    return SourceError("SourceUnusable", f"{where}: answered {answer.summary}")


def source_changed(where: str) -> SourceChanged:
    """Return the error for an object that was replaced."""
    return SourceChanged("SourceChanged", f"{where}: was replaced since the transfer started")


def _other_object(answer: SourceAnswer, where: str, *, is_first: bool) -> SourceError:
    if not is_first or answer.status == 412:
        return source_changed(where)
    message = f"{where}: does not support ranges (status 200, not 206); use an S3 URL"
    if answer.status == 416:
        message = f"{where}: is empty"
    return SourceError("SourceUnusable", message, retry=Retry.ON_CHANGE)


def _wrong_place(answer: SourceAnswer, where: str) -> SourceError:
    if answer.region:
        return _wrong_region(answer, where)
    message = f"{where}: redirects without a Location ({answer.summary}); use the URL itself"
    return SourceError("SourceUnusable", message, retry=Retry.ON_CHANGE)


def _wrong_region(answer: SourceAnswer, where: str) -> SourceDenied:
    return SourceDenied(
        "SourceRegionWrong",
        f"{where}: the bucket is in region {answer.region} ({answer.summary}); sign the URL for "
        "that region, at its endpoint",
        retry=Retry.ON_CHANGE,
    )


def _denied(
    answer: SourceAnswer, where: str, validity: Validity | None, now: datetime.datetime
) -> SourceError:
    if answer.code in REGION_CODES and answer.region:
        return _wrong_region(answer, where)
    if answer.code == "InvalidObjectState":
        kind = f"storage class {answer.storage_class}" if answer.storage_class else "an archive"
        message = f"{where}: the object is in {kind} ({answer.summary}); restore it at the source"
        return SourceError("SourceArchived", message)
    time_error = _time_error(answer, where, validity, now)
    if time_error is not None:
        return time_error
    if answer.code in SIGNATURE_CODES:
        message = (
            f"{where}: the URL's signature is invalid ({answer.summary}); the key that signed it "
            "was deleted or replaced, or the URL was changed: sign a new one"
        )
        return SourceDenied("SourceSignatureInvalid", message, retry=Retry.ON_CHANGE)
    if answer.status == 400:
        return SourceError("SourceUnusable", f"{where}: answered {answer.summary}")
    if not answer.code and not answer.message and validity is None:
        message = f"{where}: the URL is refused (403), most likely because it has expired"
        return SourceExpired("SourceURLExpired", message, retry=Retry.ON_CHANGE)
    message = (
        f"{where}: the source denies access ({answer.summary}); the object does not exist, or the "
        "signer of the URL may not read it"
    )
    return SourceDenied("SourceDenied", message, retry=Retry.ON_CHANGE)


def _time_error(
    answer: SourceAnswer, where: str, validity: Validity | None, now: datetime.datetime
) -> SourceError | None:
    """Return the error if the cause is time: expired, not valid yet, or clocks that differ."""
    text = answer.message.lower()
    if answer.code in EXPIRED_CODES:
        return _expired(answer, where, validity)
    early = "not yet valid" in text or "not valid yet" in text
    if early or answer.code in SKEWED_CODES or _is_early(answer, validity, now):
        return _skewed(answer, where, now)
    mentions_expiry = "expired" in text
    if (
        mentions_expiry
        and validity
        and not validity.is_expired(now)
        and _clocks_differ(answer, now)
    ):
        return _skewed(answer, where, now)
    if mentions_expiry or (answer.status == 403 and validity and validity.is_expired(now)):
        return _expired(answer, where, validity)
    return None


def _is_early(answer: SourceAnswer, validity: Validity | None, now: datetime.datetime) -> bool:
    """Whether the URL is not valid yet by the source's clock, or by ours if that is unknown."""
    return (
        answer.status == 403
        and validity is not None
        and validity.is_not_yet_valid(answer.time or now)
    )


def _clocks_differ(answer: SourceAnswer, now: datetime.datetime) -> bool:
    return answer.time is not None and abs(answer.time - now) > CLOCK_TOLERANCE


def _expired(answer: SourceAnswer, where: str, validity: Validity | None) -> SourceExpired:
    end = f" at {validity.end:%Y-%m-%dT%H:%M:%SZ}" if validity and validity.end else ""
    if answer.code in EXPIRED_CODES[:2]:
        end = ", with the credentials that signed it"
    message = f"{where}: the URL expired{end} ({answer.summary})"
    return SourceExpired("SourceURLExpired", message, retry=Retry.ON_CHANGE)


def _skewed(answer: SourceAnswer, where: str, now: datetime.datetime) -> SourceInterrupted:
    clocks = ""
    if answer.time is not None:
        clocks = f": it is {answer.time:%H:%M:%S} UTC there and {now:%H:%M:%S} here"
    message = (
        f"{where}: the URL is not valid by the source's clock ({answer.summary}){clocks}; "
        "correct the clock of the source, of what signed the URL, or of this node"
    )
    return SourceInterrupted("SourceClockSkewed", message)
