"""kopf's connection to the API server: what it hears is heard by us first.

kopf shows handlers no bookmarks and no lists, begins what has ended again at once, and ends the
operator on answers that it does not know, which pass as others do. Its lists are asked for without
any object, only for the version to watch from: each is followed by one of ours (`listing.py`).
What tells nothing new is kept from it, which most of a watch is while we write (`echoes.py`).
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any, Final

import aiohttp
import kopf

from roadstead.controllers.backoff import WatchBackoff
from roadstead.controllers.watch_health import WatchHealth

logger = logging.getLogger(__name__)

RETRYABLE_STATUSES: Final = (401, 403, 429)
"""The refusals after which kopf asks again; 5xx are others."""
AHEAD: Final = 504
"""The answer to a watch from a version that the API server has not reached, for one."""
TOO_OLD: Final = b'{"type":"ERROR","object":{"code":410}}'
"""The one error in a watch that kopf does not end at: it lists anew."""
EMPTY_LIST_PARAMS: Final = {"fieldSelector": "metadata.name=.", "resourceVersion": "0"}
"""A list that no object is in, answered from memory: `.` is no name, and 0 takes any version."""
_ERROR: Final = b'"ERROR"'
_TYPE: Final = 20
"""A line begins with the event's type, within so many bytes."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SessionFactory:
    """What each of kopf's sessions is made with."""

    kinds: Collection[str]
    """The plurals of what is watched."""
    hearing: WatchHealth
    known: Callable[[str, bytes], bool] = lambda _, __: False
    """Whether an event of this kind's watch, a line with a JSON object, tells nothing new."""
    pacing: WatchBackoff = dataclasses.field(default_factory=WatchBackoff)

    def session(self, found: kopf.ConnectionInfo) -> kopf.AiohttpSession:
        """What kopf would make of its connection, listened to."""
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=found.as_ssl_context()),
            headers=found.as_http_headers(),
            trust_env=found.trust_env,
            response_class=_listening(self),
            middlewares=(self._paced,),
        )
        return kopf.AiohttpSession(
            server=found.server,
            default_namespace=found.default_namespace,
            aiohttp_session=session,
        )

    async def _paced(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if "watch" in request.url.query:
            await self.pacing.turn(request.url.path)
            if request.session.closed:
                # kopf logged in anew meanwhile, and begins once more where it is told like this.
                raise RuntimeError("Session is closed")
            return await self._watched(request, handler)
        if request.url.name in self.kinds:
            request.url = request.url.update_query(EMPTY_LIST_PARAMS)
        return await handler(request)

    async def _watched(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        try:
            answer = await handler(request)
        except (aiohttp.ClientError, OSError):
            self.hearing.failed(request.url.name)
            raise
        if not answer.ok:
            self.hearing.failed(request.url.name)
        return answer


def _listening(connection: SessionFactory) -> type[aiohttp.ClientResponse]:
    class Listening(aiohttp.ClientResponse):
        async def start(self, connected: Any) -> aiohttp.ClientResponse:
            await super().start(connected)
            kind = self.url.path.rpartition("/")[2]
            if kind in connection.kinds:
                hear = _watch if "watch" in self.url.query else _list
                hear(self, kind, connection)
            return self

    return Listening


def _list(answer: aiohttp.ClientResponse, kind: str, connection: SessionFactory) -> None:
    """Tell of a list; a refused one counts as cut off, after which kopf lists anew."""
    if _unknown(answer.status) or (answer.ok and answer.content_type != "application/json"):
        logger.warning("the list of %s was refused: %d", kind, answer.status)
        raise aiohttp.ClientPayloadError(f"{answer.status}")
    if answer.ok:
        connection.hearing.answered(kind, watch=False)


def _watch(answer: Any, kind: str, connection: SessionFactory) -> None:
    """Listen to a watch; one that was refused is told to be too old."""
    if answer.ok:
        connection.hearing.answered(kind, watch=True)
        answer.content = _Heard(answer.content, kind, connection)
    elif _unknown(answer.status):
        logger.warning("the watch of %s was refused: %d", kind, answer.status)
        answer.status = 200
        answer.content = _TooOld(answer.content, kind, connection)


def _unknown(status: int) -> bool:
    return status == AHEAD or (400 <= status < 500 and status not in RETRYABLE_STATUSES)


class _Heard:
    """The lines of a watch that are news: each counts as heard when kopf takes it."""

    def __init__(
        self, content: aiohttp.StreamReader, kind: str, connection: SessionFactory
    ) -> None:
        self._content = content
        self._kind = kind
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Whole lines; what is cut off within one is not told."""
        rest = b""
        async for chunk in self._content.iter_chunked(size):
            self._connection.hearing.hear(self._kind)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in map(self._borne, filter(None, lines)):
                if not self._connection.known(self._kind, line):
                    yield line + b"\n"

    def _borne(self, line: bytes) -> bytes:
        if line.startswith(b"{") and _ERROR not in line[:_TYPE]:
            return line
        text = line[:200].decode(errors="replace")
        logger.info("%s are listed anew: %s", self._kind, text)
        return TOO_OLD


class _TooOld(_Heard):
    """A watch that can't be had."""

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        """One line."""
        yield TOO_OLD + b"\n"
