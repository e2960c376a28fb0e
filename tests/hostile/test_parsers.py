"""Every parser of untrusted text takes linear time."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence

import pytest

from roadstead import logs
from roadstead.api.object_names import matches
from roadstead.api.pod_messages import shorten
from roadstead.api.quantity import parse_quantity
from roadstead.api.server_log import find_causes
from roadstead.errors import RoadsteadError
from roadstead.manifests.names import child_name
from roadstead.source.allowlist import AllowList
from roadstead.tokens.parsing import parse
from roadstead.tokens.strictjson import loads_object
from roadstead.transfer.messages import parse_event
from roadstead.usage.exposition import SeriesReader
from roadstead_webhooks.admission import review
from roadstead_webhooks.admission.misplaced import find_misplaced_token, strip_annotations
from tests.support.builders.reviews import thing
from tests.support.growth import excess

Parser = Callable[[str], object]
TOKENS = (
    "a", "1", " ", "\n", "\t", ".", "-", "?", "?a=", "*", '"', '\\"', "\\", "[", "{", "[]", '{"a":',
    '"a":1,', "1,", "\x1b[", "\x1b[0m", "eyJ", "eyJa.", "aaaaaaaaa.aa.", "x-amz-", "bearer ",
    "&sig=", "eyJaaaaaaaa.aa.aa ", "0.00.001.736 E ", "error\n",
    'a{b="c"} 1\n', 'a{b="', "e9", "%", "/", "../",
)  # fmt: skip


def series(text: str) -> object:
    """A page of metrics in small chunks."""
    reader, page = SeriesReader(("a",)), text.encode()
    return [list(reader.feed(page[at : at + 1000])) for at in range(0, len(page), 1000)]


def stored_already(text: str) -> str:
    """An update of an object with many token-like texts, all of which were stored before."""
    texts = [f"{text[at : at + 16]}{at}" for at in range(0, len(text), 16)]
    raw = thing(spec={"x": texts})
    return find_misplaced_token(raw, raw)


PARSERS: dict[str, Parser] = {
    "redaction of a line": lambda text: logs.redacted(text, limit=len(text)),
    "message of a container": shorten,
    "log of a server": find_causes,
    "label in a pattern": lambda text: matches("*a*1*.*a-", text),
    "quantity": lambda text: parse_quantity(text, field="limits.memory"),
    "name of an object": child_name,
    "entry of the allow-list": lambda text: AllowList.parse([text]),
    "token": lambda text: parse(text, limit=len(text)),
    "header of a token": lambda text: loads_object(text.encode()),
    "event of a transfer": parse_event,
    "page of metrics": series,
    "review": lambda text: review.parse(text.encode()),
    "object": lambda text: find_misplaced_token(
        thing(spec={"x": text}), {}, token="aaaaaaaaa.aa.aaaaa"
    ),
    "object that was stored before": stored_already,
    "kubectl's copy of an object": strip_annotations,
    "kubectl's copy of another object": lambda text: strip_annotations(json.dumps({"a": text})),
}


def work(parser: Parser, token: str, length: int) -> Callable[[], object]:
    """The parser with a text of `length` characters, which it may refuse."""
    text = token * (length // len(token))

    def run() -> None:
        try:
            parser(text)
        except (RoadsteadError, ValueError, review.BadReview):
            return

    return run


def slow(parser: Parser, tokens: Sequence[str] = TOKENS) -> Iterator[str]:
    for token in tokens:
        if grown := excess(functools.partial(work, parser, token)):
            yield f"{token!r} * n: {grown}"


@pytest.mark.parametrize("name", PARSERS)
def test_hostile_text_takes_linear_time(name: str) -> None:
    assert not next(slow(PARSERS[name]), "")


def test_quadratic_parser_is_detected() -> None:
    def count_each(text: str) -> object:
        return [text.count(character, at) for at, character in enumerate(text)]

    assert next(slow(count_each, ["a"]), "")
