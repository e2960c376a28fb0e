"""Messages between the operator and a transfer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev import samplegguf
from roadstead.api.model import StoreLocation
from roadstead.errors import InvalidMessage, Retry
from roadstead.gguf.gguf_header import parse_header
from roadstead.transfer.messages import (
    Completed,
    Event,
    Failed,
    Phase,
    Progress,
    QuantInput,
    Resume,
    Source,
    Started,
    Stopped,
    StoredInput,
    TransferJob,
    UrlInput,
    event_line,
    parse_event,
)

RAW = samplegguf.sample(34)
COUNT = st.integers(0, 2**63)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        Started,
        upload_id=st.text(),
        key=st.text(),
        part_size_bytes=COUNT,
        source_etag=st.text(),
        bytes_total=COUNT,
        resumed_bytes=COUNT,
    ),
    st.builds(
        Progress,
        bytes_done=COUNT,
        bytes_total=COUNT,
        bytes_per_second=COUNT,
        remaining_seconds=st.none() | COUNT,
        phase=st.sampled_from(Phase),
    ),
    st.builds(
        Completed,
        size_bytes=COUNT,
        sha256=st.text(),
        etag=st.text(),
        gguf=st.just(parse_header(RAW, len(RAW))),
        quantization=st.none() | st.text(),
    ),
    st.builds(Failed, reason=st.text(), message=st.text(), retry=st.sampled_from(Retry)),
    st.just(Stopped()),
)


def job(source: Source, resume: Resume | None = None) -> TransferJob:
    """Return a job."""
    return TransferJob(
        model_uid="uid",
        model_name="name",
        source=source,
        target=StoreLocation(endpoint="http://store:9000", bucket="models", path="a/b.gguf"),
        expected_sha256="0" * 64,
        resume=resume,
    )


@given(event=EVENTS)
def test_event_round_trips(event: Event) -> None:
    line = event_line(event)
    assert "\n" not in line
    assert parse_event(line) == event


@pytest.mark.parametrize(
    "source",
    [
        QuantInput(endpoint="http://quant:8090", model_id="gemma"),
        UrlInput(url="http://source/model?X-Amz-Signature=s"),
        StoredInput(),
    ],
)
@pytest.mark.parametrize(
    "resume",
    [
        None,
        Resume(upload_id="u", key="k", part_size_bytes=1, source_etag='"e"', size_bytes=2),
    ],
)
def test_job_round_trips(source: Source, resume: Resume | None) -> None:
    sent = job(source, resume)
    assert TransferJob.parse(json.dumps(sent.to_json())) == sent


def test_repr_of_a_job_has_no_presigned_url() -> None:
    assert "Signature" not in repr(job(UrlInput(url="http://source/model?X-Amz-Signature=s")))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("{", "not JSON", id="not-json"),
        pytest.param("[]", "Expected `object`", id="not-an-object"),
        pytest.param('{"event": "paused"}', "paused", id="unknown-event"),
        pytest.param('{"event": "failed", "reason": 1}', "reason", id="wrong-type"),
        pytest.param('{"event": "progress", "bytesDone": "1"}', "bytesDone", id="text-for-number"),
        pytest.param(
            '{"event": "failed", "reason": "A", "message": "b", "retry": "soon"}',
            "retry",
            id="unknown-choice",
        ),
    ],
)
def test_invalid_event_is_refused(line: str, message: str) -> None:
    with pytest.raises(InvalidMessage, match=message):
        parse_event(line)


@given(raw=st.binary(max_size=100))
def test_random_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidMessage):
        parse_event(raw)
