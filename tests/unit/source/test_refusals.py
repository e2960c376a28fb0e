"""A source's refusals are told apart."""

import datetime

import pytest

from roadstead.errors import Retry, SourceDenied, SourceError, SourceInterrupted
from roadstead.source.refusals import refusal
from roadstead.source.source_responses import SourceAnswer
from roadstead.source.validity import Validity

NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
GOOD = Validity(start=NOW - HOUR, end=NOW + HOUR)
OVER = Validity(start=NOW - 2 * HOUR, end=NOW - HOUR)


def refused(answer: SourceAnswer, validity: Validity | None = GOOD) -> SourceError:
    """What a first request comes to that got this answer."""
    error = refusal(answer, "http://source/model", validity=validity, now=NOW, first=True)
    assert error is not None
    return error


def denied(code: str = "", message: str = "", time: datetime.datetime | None = NOW) -> SourceAnswer:
    """A 403."""
    return SourceAnswer(status=403, code=code, message=message, time=time)


@pytest.mark.parametrize(
    ("answer", "validity"),
    [
        pytest.param(denied("AccessDenied", "Request has expired"), OVER, id="aws-and-minio"),
        pytest.param(denied("ExpiredRequest"), OVER, id="r2"),
        pytest.param(denied("RequestExpired"), OVER, id="noobaa"),
        pytest.param(denied("AccessDenied", "Access denied"), OVER, id="cloudfront"),
        pytest.param(denied(), OVER, id="without-a-word"),
        pytest.param(denied("ExpiredToken", "The provided token has expired."), GOOD, id="sts"),
        pytest.param(SourceAnswer(status=400, code="ExpiredToken"), GOOD, id="google"),
        pytest.param(denied(), None, id="nothing-is-known"),
    ],
)
def test_expired(answer: SourceAnswer, validity: Validity | None) -> None:
    error = refused(answer, validity)
    assert (error.reason, error.retry) == ("SourceURLExpired", Retry.ON_CHANGE)


def test_an_expired_url_says_since_when() -> None:
    error = refused(denied("AccessDenied", "Request has expired"), OVER)
    assert "expired at 2026-11-30T11:00:00Z (403 AccessDenied: Request has expired)" in str(error)


@pytest.mark.parametrize(
    ("answer", "validity"),
    [
        pytest.param(denied("RequestTimeTooSkewed"), GOOD, id="aws"),
        pytest.param(denied("AccessDenied", "Request is not yet valid"), GOOD, id="aws-early"),
        pytest.param(denied("AccessDenied", "Request is not valid yet"), GOOD, id="minio-early"),
        pytest.param(
            denied(), Validity(start=NOW + HOUR, end=NOW + 2 * HOUR), id="early-without-a-word"
        ),
        pytest.param(
            denied("AccessDenied", "Request has expired", NOW + 2 * HOUR), GOOD, id="fast-clock"
        ),
    ],
)
def test_clocks_that_differ_are_retried(answer: SourceAnswer, validity: Validity) -> None:
    error = refused(answer, validity)
    assert error.reason == "SourceClockSkewed"
    assert isinstance(error, SourceInterrupted)
    assert error.retry is Retry.BACKOFF


def test_clocks_that_differ_are_both_shown() -> None:
    error = refused(denied("RequestTimeTooSkewed", time=NOW + HOUR))
    assert "13:00:00 UTC there and 12:00:00 here" in str(error)


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidToken"])
def test_a_wrong_signature_asks_for_another_url(code: str) -> None:
    error = refused(denied(code))
    assert error.reason == "SourceSignatureInvalid"
    assert isinstance(error, SourceDenied)
    assert error.retry is Retry.ON_CHANGE


def test_a_storage_class_that_cannot_be_read_is_named_and_tried_again() -> None:
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
def test_another_region_is_named(answer: SourceAnswer) -> None:
    error = refused(answer)
    assert (error.reason, error.retry) == ("SourceRegionWrong", Retry.ON_CHANGE)
    assert "in region eu-west-1" in str(error)


def test_a_redirect_to_nowhere_is_called_that() -> None:
    assert "no Location" in str(refused(SourceAnswer(status=302)))


def test_other_denials_say_what_the_source_says() -> None:
    error = refused(denied("AllAccessDisabled", "All access to this object has been disabled"))
    assert error.reason == "SourceDenied"
    assert "All access to this object has been disabled" in str(error)


@pytest.mark.parametrize("status", [400, 407])
def test_what_a_source_says_to_a_request_it_does_not_take_is_shown(status: int) -> None:
    error = refused(SourceAnswer(status=status, code="InvalidArgument", message="no such version"))
    assert error.reason == "SourceUnusable"
    assert f"{status} InvalidArgument: no such version" in str(error)


def test_what_passes_says_why() -> None:
    error = refused(SourceAnswer(status=503, code="SlowDown", message="Reduce your request rate."))
    assert isinstance(error, SourceInterrupted)
    assert "503 SlowDown: Reduce your request rate." in str(error)
