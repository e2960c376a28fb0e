"""Parsing of Prometheus' text format, valid and invalid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from roadstead.usage.exposition import MAX_LINE, MAX_VALUE, Series, SeriesReader, parse_line
from tests.support.builders.metric_pages import chunks

LABELS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=20)
VALUES = st.floats(0, MAX_VALUE)


def read(page: bytes, size: int = 2**16, name: str = "memory_bytes") -> list[Series]:
    reader = SeriesReader((name,))
    found = [series for part in chunks(page, size) for series in reader.feed(part)]
    return [*found, *reader.close()]


@given(st.dictionaries(LABELS, VALUES, max_size=5), st.integers(1, 40))
def test_output_of_prometheus_client_is_read_in_any_chunk_size(
    given_values: dict[str, float], size: int
) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("memory_bytes", "Memory.", ["pod"], registry=registry)
    for label, value in given_values.items():
        gauge.labels(label).set(value)
    found = read(generate_latest(registry), size)
    assert {series.labels["pod"]: series.value for series in found} == given_values


@given(st.binary(max_size=300), st.integers(1, 20))
def test_arbitrary_bytes_never_raise(data: bytes, size: int) -> None:
    for series in read(b"memory_bytes{" + data, size):
        assert 0 <= series.value <= MAX_VALUE


@given(st.text(max_size=60))
def test_line_is_parsed_completely_or_not_at_all(text: str) -> None:
    found = parse_line(b'memory_bytes{pod="a"} ' + text.encode(errors="replace"))
    assert found is None or found.labels == {"pod": "a"}


def test_timestamp_is_converted_to_seconds() -> None:
    found = parse_line(b"memory_bytes 1.5e3 1763956651250")
    assert found is not None
    assert (found.value, found.at) == (1500, 1763956651.25)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"memory_bytes NaN", id="not-a-number"),
        pytest.param(b"memory_bytes +Inf", id="infinite"),
        pytest.param(b"memory_bytes -1", id="negative"),
        pytest.param(b"memory_bytes 1e300", id="no-count-of-bytes"),
        pytest.param(b"memory_bytes 1_000", id="python-only"),
        pytest.param(b"memory_bytes", id="no-value"),
        pytest.param(b'memory_bytes{pod="a} 1', id="open-quote"),
        pytest.param(b'memory_bytes{pod="a" b="c"} 1', id="no-comma"),
        pytest.param(b"memory_bytes{pod=a} 1", id="no-quotes"),
        pytest.param(b"memory_bytes 1 2 3", id="too-much"),
        pytest.param(b"# TYPE memory_bytes gauge", id="comment"),
    ],
)
def test_line_without_usable_number_is_ignored(line: bytes) -> None:
    assert read(line + b"\n") == []


def test_braces_and_escapes_in_label_are_text() -> None:
    found = parse_line(rb'memory_bytes{pod="a}{\"\\\n",} 1')
    assert found is not None
    assert found.labels == {"pod": 'a}{"\\\n'}


@pytest.mark.parametrize("size", [1000, 10**6])
def test_overlong_line_is_ignored_and_next_one_is_read(size: int) -> None:
    endless = b'memory_bytes{pod="' + b"a" * (3 * MAX_LINE) + b'"} 1\n'
    assert [series.value for series in read(endless + b"memory_bytes 2\n", size)] == [2]


def test_family_with_same_prefix_is_ignored() -> None:
    assert read(b"memory_bytes_total 1\nmemory_bytes 2\n")[0].value == 2
