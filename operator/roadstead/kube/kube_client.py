"""A small client based on the official asyncio client: JSON in, JSON out, our own errors."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Self, cast

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, ApiException, Configuration
from kubernetes.aio.client.rest import RESTResponse
from kubernetes.aio.config import ConfigException

from roadstead.api import group
from roadstead.api.raw import Raw
from roadstead.errors import InvalidSettings, KubeNotFound, KubeUnavailable
from roadstead.fence import Fence
from roadstead.kube.api_proxy import environment_proxy
from roadstead.kube.kube_fencing import fenced
from roadstead.kube.kube_responses import refusal, refusal_message, watch_event
from roadstead.kube.resources import PODS, Resource

LIST_PAGE_SIZE: Final = 500
_JSON: Final = "application/json"
_ANY: Final = "*/*"
_MERGE_PATCH: Final = "application/merge-patch+json"
_APPLY_PATCH: Final = "application/apply-patch+yaml"

Object = dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Page:
    """A page of a list at resourceVersion `version`."""

    version: int
    items: list[Object]


@dataclasses.dataclass(frozen=True, kw_only=True)
class KubeCredentials:
    """The header `Authorization`, a client certificate, and the authority; each may be empty."""

    authorization: str = dataclasses.field(repr=False)
    ca_file: str
    cert_file: str
    key_file: str


class KubeClient:
    """Sends requests to one API server.

    `connections` bounds the open connections, `timeout` is that of one request in seconds.
    Every method raises KubeError. Nothing is retried here: the work queue retries. Writes raise
    LeaseLost if the `fence` of `connect` does not allow them.
    """

    def __init__(self, api: ApiClient, *, timeout: float = 30) -> None:
        self._api = api
        self._timeout = timeout

    @classmethod
    async def connect(
        cls, kubeconfig: str | None = None, *, connections: int = 32, fence: Fence | None = None
    ) -> Self:
        """Connect by a kubeconfig's current context, or by the pod's service account without one.

        Raises InvalidSettings if that is not possible.
        """
        configuration = await configuration_of(kubeconfig)
        configuration.connection_pool_maxsize = connections
        # aiohttp would read the environment, in a thread, at each request.
        session: dict[str, Any] = {"trust_env": False}
        if fence is not None:
            session["request_class"] = fenced(fence)
        configuration.client_session_kwargs = session
        return cls(ApiClient(configuration))

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()

    async def credentials(self) -> KubeCredentials:
        """The credentials of this process; a pod's token is read again, since it rotates."""
        known = self._api.configuration
        return KubeCredentials(
            authorization=await known.get_api_key_with_prefix("BearerToken") or "",
            ca_file=known.ssl_ca_cert or "",
            cert_file=known.cert_file or "",
            key_file=known.key_file or "",
        )

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; raises KubeNotFound if it does not exist."""
        return await self._request("GET", resource.path(name, namespace=namespace))

    async def list(
        self, resource: Resource, *, selector: str = "", namespace: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        """All objects of a kind at one version, in pages of 500; `fields` is a field selector."""
        token = ""
        while True:
            query = {
                "limit": str(LIST_PAGE_SIZE),
                "continue": token,
                "labelSelector": selector,
                "fieldSelector": fields,
            }
            answer = await self._request("GET", resource.collection(namespace), query=query)
            typed = {"apiVersion": resource.api_version, "kind": resource.kind}
            meta = answer["metadata"]
            yield Page(
                version=int(meta.get("resourceVersion") or 0),
                items=[{**typed, **item} for item in answer["items"]],
            )
            token = meta.get("continue", "")
            if not token:
                return

    async def version(self, resource: Resource, *, namespace: str = "", fields: str = "") -> int:
        """The current version of a kind, from a list of at most one object."""
        query = {"limit": "1", "fieldSelector": fields}
        answer = await self._request("GET", resource.collection(namespace), query=query)
        return int(answer["metadata"].get("resourceVersion") or 0)

    async def watch(
        self,
        resource: Resource,
        *,
        version: int,
        seconds: int,
        silence: float,
        selector: str = "",
        namespace: str = "",
        fields: str = "",
    ) -> AsyncIterator[Object]:
        """The watch events of a kind after `version`, bookmarks included, for up to `seconds`.

        Raises KubeUnavailable after `silence` seconds without an event, and KubeGone if the API
        server has discarded that version or has not reached it.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": str(version),
            "timeoutSeconds": str(seconds),
            "labelSelector": selector,
            "fieldSelector": fields,
        }
        path = resource.collection(namespace)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout, sock_read=silence)
        response = await self._open("GET", path, query=query, timeout=timeout)
        try:
            if response.status >= 400:
                raise refusal(
                    "WATCH", path, response.status, refusal_message(await response.read())
                )
            async for line in _lines(response.response.content):
                yield watch_event(path, line)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            kind = type(error).__name__
            raise KubeUnavailable(f"WATCH {path}: interrupted ({kind})") from error
        finally:
            response.response.close()

    async def log(
        self, pod: str, *, namespace: str, since: str = "", silence: float
    ) -> AsyncIterator[bytes]:
        """The lines of a pod's log as they are written, each prefixed with its time and a space.

        They start at the beginning, or at the second of `since`, and end with the container. Raises
        KubeUnavailable after `silence` seconds without a line.
        """
        query = {"follow": "true", "timestamps": "true", "sinceTime": since}
        path = PODS.path(pod, namespace=namespace, subresource="log")
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout, sock_read=silence)
        response = await self._open("GET", path, query=query, accept=_ANY, timeout=timeout)
        try:
            if response.status >= 400:
                raise refusal("LOG", path, response.status, refusal_message(await response.read()))
            async for line in _lines(response.response.content):
                yield line
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            kind = type(error).__name__
            raise KubeUnavailable(f"LOG {path}: interrupted ({kind})") from error
        finally:
            response.response.close()

    async def create(self, resource: Resource, body: Raw, *, dry_run: bool = False) -> Object:
        """Create an object, or only validate it; raises KubeConflict if it exists."""
        path = resource.collection(body["metadata"].get("namespace", ""))
        query = {"fieldManager": group.FIELD_MANAGER, "dryRun": "All" if dry_run else ""}
        return await self._request("POST", path, body=body, query=query)

    async def apply(self, resource: Resource, body: Raw) -> Object:
        """Apply an object (server-side apply) as our field manager, with force."""
        meta = body["metadata"]
        path = resource.path(meta["name"], namespace=meta.get("namespace", ""))
        query = {"fieldManager": group.FIELD_MANAGER, "force": "true"}
        return await self._request("PATCH", path, body=body, query=query, content_type=_APPLY_PATCH)

    async def replace_status(self, resource: Resource, body: Raw) -> Object:
        """Replace the status; raises KubeConflict if the object changed since it was read."""
        meta = body["metadata"]
        path = resource.path(
            meta["name"], namespace=meta.get("namespace", ""), subresource="status"
        )
        # Strict: otherwise a status field that the CRD lacks is dropped silently.
        query = {"fieldManager": group.FIELD_MANAGER, "fieldValidation": "Strict"}
        return await self._request("PUT", path, body=body, query=query)

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        """Apply a merge patch (RFC 7386); a resourceVersion in it makes it conditional."""
        path = resource.path(name, namespace=namespace)
        query = {"fieldManager": group.FIELD_MANAGER}
        return await self._request("PATCH", path, body=body, query=query, content_type=_MERGE_PATCH)

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        foreground: bool = False,
    ) -> None:
        """Delete an object in the background; a missing one is not an error.

        With a `uid` only that object: raises KubeConflict if another one has the name. With
        `foreground` the object exists until its blocking dependents are deleted.
        """
        path = resource.path(name, namespace=namespace)
        # All in the body: the API server ignores the query if there is a body.
        body: Object = {"propagationPolicy": "Foreground" if foreground else "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await self._request("DELETE", path, body=body)
        except KubeNotFound:
            return

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: Raw | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = _JSON,
    ) -> Object:
        try:
            response = await self._open(
                method, path, body=body, query=query, content_type=content_type
            )
            data = await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            kind = type(error).__name__
            raise KubeUnavailable(f"{method} {path}: no answer ({kind})") from error
        if response.status >= 400:
            raise refusal(method, path, response.status, refusal_message(data))
        try:
            return cast(Object, json.loads(data))
        except ValueError:
            # From a proxy, not from the API server.
            raise KubeUnavailable(f"{method} {path}: the response is not JSON") from None

    async def _open(
        self,
        method: str,
        path: str,
        *,
        body: Raw | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = _JSON,
        accept: str = _JSON,
        timeout: float | aiohttp.ClientTimeout = 0,
    ) -> RESTResponse:
        # Without the body, which is JSON already and needs no conversion.
        _, url, headers, *_ = await self._api.param_serialize(
            method,
            path,
            query_params=[(key, value) for key, value in (query or {}).items() if value],
            header_params={"Accept": accept, "Content-Type": content_type},
            auth_settings=["BearerToken"],
        )
        limit = timeout or self._timeout
        try:
            return await self._api.call_api(method, url, headers, body, _request_timeout=limit)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            kind = type(error).__name__
            raise KubeUnavailable(f"{method} {path}: no answer ({kind})") from error
        except ApiException as error:
            raise refusal(method, path, error.status or 0, str(error.reason)) from error


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length: `StreamReader.readline` fails at 128 KiB, an object may have 3 MiB."""
    rest = bytearray()
    async for chunk in stream.iter_any():
        *whole, last = chunk.split(b"\n")
        for part in whole:
            yield bytes(rest + part)
            rest.clear()
        rest += last


async def configuration_of(kubeconfig: str | None) -> Configuration:
    """The configuration of a kubeconfig, or else of the pod's service account.

    Its `proxy` is None in a pod; with a kubeconfig it is the context's, or the environment's.
    """
    configuration = Configuration()
    configuration.proxy = None
    try:
        if kubeconfig:
            await config.load_kube_config(kubeconfig, client_configuration=configuration)
            proxy = configuration.proxy or environment_proxy(configuration.host, os.environ)
            configuration.proxy = proxy
        else:
            config.load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError) as error:
        where = f"kubeconfig {kubeconfig}" if kubeconfig else "the pod's service account"
        message = f"{where} can't be used: {error}; outside a cluster, set KUBECONFIG to a file"
        raise InvalidSettings(message) from error
    return configuration
