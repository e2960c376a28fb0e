"""The causes of a source's error responses are distinguished."""

import datetime

import pytest

from roadstead.errors import Retry, SourceDenied, SourceError, SourceInterrupted
from roadstead.source.refusals import interpret_response
from roadstead.source.source_responses import SourceAnswer
from roadstead.source.validity import Validity

NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
GOOD = Validity(start=NOW - HOUR, end=NOW + HOUR)
OVER = Validity(start=NOW - 2 * HOUR, end=NOW - HOUR)


def refused(answer: SourceAnswer, validity: Validity | None = GOOD) -> SourceError:
    """Return the error of a first request with this response."""
    error = interpret_response(
        answer, "http://source/model", validity=validity, now=NOW, is_first=True
    )
    assert error is not None
    return error


def denied(code: str = "", message: str = "", time: datetime.datetime | None = NOW) -> SourceAnswer:
    """Return a response of status 403."""
    return SourceAnswer(status=403, code=code, message=message, time=time)


@pytest.mark.parametrize(
    ("answer", "validity"),
    [
        pytest.param(denied("AccessDenied", "Request has expired"), OVER, id="aws-and-minio"),
        pytest.param(denied("ExpiredRequest"), OVER, id="r2"),
        pytest.param(denied("RequestExpired"), OVER, id="noobaa"),
        pytest.param(denied("AccessDenied", "Access denied"), OVER, id="cloudfront"),
        pytest.param(denied(), OVER, id="empty-body"),
        pytest.param(denied("ExpiredToken", "The provided token has expired."), GOOD, id="sts"),
        pytest.param(SourceAnswer(status=400, code="ExpiredToken"), GOOD, id="google"),
        pytest.param(denied(), None, id="unknown-validity"),
    ],
)
def test_expired_url(answer: SourceAnswer, validity: Validity | None) -> None:
    error = refused(answer, validity)
    assert (error.reason, error.retry) == ("SourceURLExpired", Retry.ON_CHANGE)


def test_message_has_the_time_of_expiry() -> None:
    error = refused(denied("AccessDenied", "Request has expired"), OVER)
    assert "expired at 2026-11-30T11:00:00Z (403 AccessDenied: Request has expired)" in str(error)


@pytest.mark.parametrize(
    ("answer", "validity"),
    [
        pytest.param(denied("RequestTimeTooSkewed"), GOOD, id="aws"),
        pytest.param(denied("AccessDenied", "Request is not yet valid"), GOOD, id="aws-early"),
        pytest.param(denied("AccessDenied", "Request is not valid yet"), GOOD, id="minio-early"),
        pytest.param(
            denied(), Validity(start=NOW + HOUR, end=NOW + 2 * HOUR), id="early-empty-body"
        ),
        pytest.param(
            denied("AccessDenied", "Request has expired", NOW + 2 * HOUR), GOOD, id="fast-clock"
        ),
    ],
)
def test_clock_skew_is_retried(answer: SourceAnswer, validity: Validity) -> None:
    error = refused(answer, validity)
    assert error.reason == "SourceClockSkewed"
    assert isinstance(error, SourceInterrupted)
    assert error.retry is Retry.BACKOFF


def test_message_shows_both_clocks() -> None:
    error = refused(denied("RequestTimeTooSkewed", time=NOW + HOUR))
    assert "13:00:00 UTC there and 12:00:00 here" in str(error)


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidToken"])
def test_invalid_signature_waits_for_another_url(code: str) -> None:
    error = refused(denied(code))
    assert error.reason == "SourceSignatureInvalid"
    assert isinstance(error, SourceDenied)
    assert error.retry is Retry.ON_CHANGE


def test_archived_object_is_retried_and_its_storage_class_named() -> None:
    error = refused(
        SourceAnswer(status=403, code="InvalidObjectState", storage_class="DEEP_ARCHIVE")
    )
    assert (error.reason, error.retry) == ("SourceArchived", Retry.BACKOFF)
    assert "storage class DEEP_ARCHIVE" in str(error)
    assert "restore it" in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        SourceAnswer(status=301, code="PermanentRedirect", region="eu-west-1"),
        SourceAnswer(status=400, code="AuthorizationHeaderMalformed", region="eu-west-1"),
    ],
)
def test_message_names_the_region_of_the_bucket(answer: SourceAnswer) -> None:
    error = refused(answer)
    assert (error.reason, error.retry) == ("SourceRegionWrong", Retry.ON_CHANGE)
    assert "in region eu-west-1" in str(error)


def test_redirect_without_a_location() -> None:
    assert "without a Location" in str(refused(SourceAnswer(status=302)))


def test_other_denial_quotes_the_source() -> None:
    error = refused(denied("AllAccessDisabled", "All access to this object has been disabled"))
    assert error.reason == "SourceDenied"
    assert "All access to this object has been disabled" in str(error)


@pytest.mark.parametrize("status", [400, 407])
def test_response_to_an_invalid_request_is_quoted(status: int) -> None:
    error = refused(SourceAnswer(status=status, code="InvalidArgument", message="no such version"))
    assert error.reason == "SourceUnusable"
    assert f"{status} InvalidArgument: no such version" in str(error)


def test_transient_error_quotes_the_source() -> None:
    error = refused(SourceAnswer(status=503, code="SlowDown", message="Reduce your request rate."))
    assert isinstance(error, SourceInterrupted)
    assert "503 SlowDown: Reduce your request rate." in str(error)
