"""kopf's connection to the API server: the transport of its watches.

kopf hides bookmarks from handlers, restarts ended watches at once, reports no deletion that a watch
missed, and stops the operator on statuses and events that it does not know. So `KindSync` decides
before each watch whether to pause, list or resume, as in the other processes, and receives each
event before kopf. kopf receives only new events and errors that it retries, and its own lists
return no objects.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import aiohttp
import kopf

from roadstead.errors import ClusterRestored, KubeError, KubeUnavailable
from roadstead.kube.kind_sync import KindSync, watch_seconds
from roadstead.kube.kube_responses import refusal, refusal_message, watch_event
from roadstead.kube.resources import Resource
from roadstead.watching.watched_kinds import WatchedKinds

UNAUTHORIZED_STATUS: Final = 401
"""The status that kopf sees: it logs in again."""
EMPTY_LIST_PARAMS: Final = {"fieldSelector": "metadata.name=.", "resourceVersion": "0"}
"""An empty list, answered from memory: `.` is not a valid name, and 0 accepts any version."""
_JSON: Final = "application/json"
_INTERRUPTIONS: Final = (TimeoutError, aiohttp.ClientError, OSError)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SessionFactory:
    """Creates kopf's sessions."""

    kinds: Mapping[str, Resource]
    """The watched kinds by plural."""
    watched: WatchedKinds

    def session(self, info: kopf.ConnectionInfo) -> kopf.AiohttpSession:
        """The session that kopf would create, with our middleware."""
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
            headers=info.as_http_headers(),
            # The proxy is chosen with the other settings of the connection.
            trust_env=False,
            proxy=info.proxy_url,
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
        resource = self.kinds.get(request.url.name)
        if resource is None:
            return await handler(request)
        if "watch" not in request.url.query:
            return await _send_list(request, handler)
        sync = self.watched.sync(resource)
        try:
            version = await self.watched.prepare(resource)
            if request.session.closed:
                # kopf has logged in again meanwhile, and retries after this error.
                raise RuntimeError("Session is closed")
            return await _send_watch(request, handler, sync, version)
        except KubeError as error:
            sync.ended(error)
            raise _retried(error) from error
        except ClusterRestored as error:
            raise _retried(error) from error  # The operator exits.


async def _send_list(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """List nothing; a response that would stop kopf counts as interrupted."""
    request.url = request.url.update_query(EMPTY_LIST_PARAMS)
    answer = await handler(request)
    if answer.status == UNAUTHORIZED_STATUS or (answer.ok and answer.content_type == _JSON):
        return answer
    answer.close()
    raise _retried(f"LIST {request.url.path}: {answer.status}")


async def _send_watch(
    request: aiohttp.ClientRequest,
    handler: aiohttp.ClientHandlerType,
    sync: KindSync,
    version: int,
) -> aiohttp.ClientResponse:
    """Watch from a version; raises KubeError."""
    path = request.url.path
    request.url = request.url.update_query(
        resourceVersion=str(version), timeoutSeconds=str(watch_seconds())
    )
    try:
        answer = await handler(request)
        if answer.ok:
            # kopf uses nothing else of the content.
            answer.content = _Events(answer.content, path, sync)  # type: ignore[assignment]
            return answer
        error = refusal("WATCH", path, answer.status, refusal_message(await answer.read()))
        if answer.status != UNAUTHORIZED_STATUS:
            raise error
        sync.ended(error)
        return answer
    except _INTERRUPTIONS as error:
        raise KubeUnavailable(f"WATCH {path}: no answer ({type(error).__name__})") from error


def _retried(reason: object) -> aiohttp.ClientPayloadError:
    """The error after which kopf sends the request again, without a pause of its own."""
    return aiohttp.ClientPayloadError(str(reason))


class _Events:
    """The content of a watch's response: its events that the cache lacks."""

    def __init__(self, content: aiohttp.StreamReader, path: str, sync: KindSync) -> None:
        self._content = content
        self._path = path
        self._sync = sync

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Complete lines; an incomplete last line is dropped."""
        try:
            async for line in self._lines(size):
                if self._sync.received(watch_event(self._path, line)):
                    yield line + b"\n"
        except KubeError as error:
            self._sync.ended(error)
            raise _retried(error) from error
        self._sync.ended()

    async def _lines(self, size: int) -> AsyncIterator[bytes]:
        rest = b""
        chunks = aiter(self._content.iter_chunked(size))
        try:
            while True:
                async with asyncio.timeout(self._sync.state.limit):
                    chunk = await anext(chunks)
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    yield line
        except StopAsyncIteration:
            return
        except _INTERRUPTIONS as error:
            name = type(error).__name__
            raise KubeUnavailable(f"WATCH {self._path}: interrupted ({name})") from error
