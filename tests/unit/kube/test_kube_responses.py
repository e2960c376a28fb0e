"""Lines of a watch, and what the API server refuses."""

import json

import pytest

from roadstead.errors import KubeError, KubeGone, KubeRejected, KubeUnavailable
from roadstead.kube.kube_responses import refusal, watch_event


def test_an_event_is_parsed() -> None:
    line = b'{"type":"ADDED","object":{"metadata":{"name":"a"}}}'
    assert watch_event("/pods", line)["object"] == {"metadata": {"name": "a"}}


@pytest.mark.parametrize(
    "line",
    [
        b"502",
        b"null",
        b"<html>",
        b'{"type":"ADDED","obj',
        b'{"type":"ADDED","object":{}}',
        b'{"type":"ADDED","object":{"metadata":{"name":1}}}',
        b'{"type":"DELETED"}',
        b'{"type":"BOOKMARK","object":null}',
        b'{"type":"ERROR","object":null}',
        b'{"type":"ERROR","object":{"code":"many"}}',
    ],
)
def test_a_line_that_is_no_event_is_an_interruption(line: bytes) -> None:
    with pytest.raises(KubeUnavailable, match="invalid event"):
        watch_event("/pods", line)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ({"code": 410, "message": "too old"}, KubeGone),
        ({"code": 504, "message": "Too large resource version: 9, current: 7"}, KubeGone),
        ({"code": 500}, KubeUnavailable),
        ({}, KubeUnavailable),
    ],
)
def test_an_error_event_is_raised(status: object, error: type[KubeError]) -> None:
    line = json.dumps({"type": "ERROR", "object": status}).encode()
    with pytest.raises(error):
        watch_event("/pods", line)


def test_a_denied_owner_of_a_new_kind_may_succeed_later() -> None:
    assert isinstance(refusal("POST", "/jobs", 403, "forbidden"), KubeRejected)
    later = refusal("POST", "/jobs", 403, "cannot find RESTMapping for Model")
    assert isinstance(later, KubeUnavailable)
