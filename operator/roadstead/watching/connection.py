"""kopf's connection to the API server: its responses pass through this module first.

kopf hides bookmarks and lists from handlers, restarts ended watches at once, and stops the operator
on statuses that it does not know, although they are transient. Its lists return no objects, only
the version to watch from; `relist.py` lists the objects. Events of our own writes, most of a watch
while we write, are filtered out (`watches.py`).
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any, Final

import aiohttp
import kopf

from roadstead.watching.backoff import WatchBackoff
from roadstead.watching.watch_health import WatchHealth

logger = logging.getLogger(__name__)

RETRYABLE_STATUSES: Final = (401, 403, 429)
"""The 4xx statuses that kopf retries; it retries 5xx too."""
VERSION_AHEAD_STATUS: Final = 504
"""The status of, for example, a watch from a version that the API server has not reached."""
TOO_OLD_EVENT: Final = b'{"type":"ERROR","object":{"code":410}}'
"""The only error event that does not stop kopf: it lists again."""
EMPTY_LIST_PARAMS: Final = {"fieldSelector": "metadata.name=.", "resourceVersion": "0"}
"""An empty list, answered from memory: `.` is not a valid name, and 0 accepts any version."""
_ERROR: Final = b'"ERROR"'
_TYPE_BYTES: Final = 20
"""The event's type is within the first bytes of a line."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SessionFactory:
    """Creates kopf's sessions."""

    kinds: Collection[str]
    """The plurals of the watched kinds."""
    health: WatchHealth
    known: Callable[[str, bytes], bool] = lambda _, __: False
    """Whether the cache already has the object of an event, given the kind and the JSON line."""
    backoff: WatchBackoff = dataclasses.field(default_factory=WatchBackoff)

    def session(self, info: kopf.ConnectionInfo) -> kopf.AiohttpSession:
        """The session that kopf would create, with our middleware and response class."""
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
            headers=info.as_http_headers(),
            # The proxy is chosen with the other settings of the connection.
            trust_env=False,
            proxy=info.proxy_url,
            response_class=_response_class(self),
            middlewares=(self._send,),
        )
        return kopf.AiohttpSession(
            server=info.server,
            default_namespace=info.default_namespace,
            aiohttp_session=session,
        )

    async def _send(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if "watch" in request.url.query:
            await self.backoff.wait(request.url.path)
            if request.session.closed:
                # kopf has logged in again meanwhile, and retries after this error.
                raise RuntimeError("Session is closed")
            return await self._send_watch(request, handler)
        if request.url.name in self.kinds:
            request.url = request.url.update_query(EMPTY_LIST_PARAMS)
        return await handler(request)

    async def _send_watch(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        try:
            answer = await handler(request)
        except (aiohttp.ClientError, OSError):
            self.health.failed(request.url.name)
            raise
        if not answer.ok:
            self.health.failed(request.url.name)
        return answer


def _response_class(connection: SessionFactory) -> type[aiohttp.ClientResponse]:
    class Listening(aiohttp.ClientResponse):
        async def start(self, connected: Any) -> aiohttp.ClientResponse:
            await super().start(connected)
            kind = self.url.path.rpartition("/")[2]
            if kind in connection.kinds:
                handle = _handle_watch if "watch" in self.url.query else _handle_list
                handle(self, kind, connection)
            return self

    return Listening


def _handle_list(answer: aiohttp.ClientResponse, kind: str, connection: SessionFactory) -> None:
    """Report a list; a refused one counts as interrupted, so that kopf lists again."""
    if _is_unknown(answer.status) or (answer.ok and answer.content_type != "application/json"):
        logger.warning("listing %s failed with status %d", kind, answer.status)
        raise aiohttp.ClientPayloadError(f"{answer.status}")
    if answer.ok:
        connection.health.answered(kind, watch=False)


def _handle_watch(answer: Any, kind: str, connection: SessionFactory) -> None:
    """Filter the events of a watch; a refused watch is replaced by a "too old" event."""
    if answer.ok:
        connection.health.answered(kind, watch=True)
        answer.content = _Heard(answer.content, kind, connection)
    elif _is_unknown(answer.status):
        logger.warning("watching %s failed with status %d", kind, answer.status)
        answer.status = 200
        answer.content = _TooOld(answer.content, kind, connection)


def _is_unknown(status: int) -> bool:
    """Whether kopf would stop at this status."""
    retryable = status in RETRYABLE_STATUSES
    return status == VERSION_AHEAD_STATUS or (400 <= status < 500 and not retryable)


class _Heard:
    """The events of a watch that are new; each counts as received when kopf reads it."""

    def __init__(
        self, content: aiohttp.StreamReader, kind: str, connection: SessionFactory
    ) -> None:
        self._content = content
        self._kind = kind
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Complete lines; an incomplete last line is dropped."""
        rest = b""
        async for chunk in self._content.iter_chunked(size):
            self._connection.health.record_event(self._kind)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in map(self._translate_error, filter(None, lines)):
                if not self._connection.known(self._kind, line):
                    yield line + b"\n"

    def _translate_error(self, line: bytes) -> bytes:
        if line.startswith(b"{") and _ERROR not in line[:_TYPE_BYTES]:
            return line
        text = line[:200].decode(errors="replace")
        logger.info("listing %s again after a watch error: %s", self._kind, text)
        return TOO_OLD_EVENT


class _TooOld(_Heard):
    """A watch that was refused."""

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        """The "too old" event."""
        yield TOO_OLD_EVENT + b"\n"
