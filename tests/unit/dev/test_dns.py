"""Which replies count as an answer of the cluster's DNS."""

import struct

import pytest

from dev.cluster.dns import is_in_answer, query

ADDRESS = bytes([10, 96, 0, 1])


def reply(*, code: int, answers: int, data: bytes) -> bytes:
    return struct.pack("!6H", 1, 0x8400 | code, 1, answers, 0, 0) + data


def test_query_asks_for_an_address() -> None:
    assert query("a.bc").endswith(b"\x01a\x02bc\x00\x00\x01\x00\x01")


def test_reply_with_the_address_is_an_answer() -> None:
    assert is_in_answer(reply(code=0, answers=1, data=ADDRESS), "10.96.0.1")


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b"", id="no reply"),
        pytest.param(reply(code=3, answers=0, data=b""), id="no such name"),
        pytest.param(reply(code=0, answers=0, data=ADDRESS), id="no answer"),
        pytest.param(reply(code=0, answers=1, data=bytes(4)), id="another address"),
    ],
)
def test_other_replies_are_not_answers(bad: bytes) -> None:
    assert not is_in_answer(bad, "10.96.0.1")
