"""A server's route through the gateway, its middlewares, and its API key."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, Literal
from urllib.parse import urlsplit

from roadstead.api.modelserve import ModelServe
from roadstead.manifests import names
from roadstead.manifests.digest import with_digest
from roadstead.manifests.gateway_headers import REQUEST_HEADERS, RESPONSE_HEADERS, none_of
from roadstead.manifests.rendering import Manifest, render

Kind = Literal["traefik", "gateway-api"]

_CORS: Final = "cors"
_BODY: Final = "body"
_SHORT: Final = "short"
"""In place of `body` for requests that are declared to be short."""
_BEFORE_BODY: Final = ("auth", "limit")
_AFTER_BODY: Final = ("headers", "strip")
_BUFFERED_BODY_BYTES: Final = 512 * 1024
"""Bytes that Traefik allocates for the body of each request that is not short, however long."""
_LENGTH: Final = "Content-Length"
_IS_SHORT: Final = (
    f"HeaderRegexp(`{_LENGTH}`, `^[0-9]`) && !HeaderRegexp(`{_LENGTH}`, `[^0-9]|.{{6}}`)"
)
"""Each Content-Length is at most 99,999. Traefik reads no more bytes than the first one declares; a
chunked request has none, since Go removes it (RFC 9112, 6.3)."""
_HAS_NO_BODY: Final = "(Method(`GET`) || Method(`HEAD`))"
_REMOVED_HEADERS: Final = none_of(REQUEST_HEADERS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Routing:
    """The installation's gateway, the same for all servers."""

    kind: Kind
    url: str
    """`https://host[:port]`, as in the callers' URLs."""
    console_url: str = ""
    """The console's URL if it has its own host; empty if it shares that of `url`."""
    forward_auth: str
    """`http://host`, before `/verify/<uuid>`."""
    entry_points: tuple[str, ...] = ()
    """Of Traefik."""
    cert_resolver: str = ""
    """Of Traefik; empty means its default certificate."""
    parent: tuple[str, ...] = ()
    """The Gateway of HTTPRoutes: namespace, name, and optionally the listener."""
    max_in_flight: int = 64
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call servers from a browser, as browsers write them."""

    @property
    def host(self) -> str:
        """The name without the port."""
        return urlsplit(self.url).hostname or ""

    @property
    def console_host(self) -> str:
        """The name of the console's host, without the port."""
        return urlsplit(self.console_url or self.url).hostname or ""

    def url_of(self, server_uuid: str) -> str:
        """The public URL of a server."""
        return f"{self.url}/{server_uuid}"


def key_secret(serve: ModelServe, key: str) -> Manifest:
    """The Secret with the server's API key."""
    manifest = render(
        "modelserve/gateway/secret.yaml.j2",
        meta=_metadata(serve, names.KEY),
        data={names.API_KEY: key},
    )[0]
    return with_digest(manifest)


def route_objects(serve: ModelServe, routing: Routing, port: int) -> list[Manifest]:
    """Middlewares, then the route to the Service's port, so that it never exists without them."""
    uuid = serve.server_id
    middlewares = _cors(serve, routing) + render(
        "modelserve/gateway/middlewares.yaml.j2",
        **{suffix: _metadata(serve, suffix) for suffix in (*_BEFORE_BODY, _BODY, *_AFTER_BODY)},
        short=_metadata(serve, _SHORT) if routing.kind == "traefik" else None,
        address=f"{routing.forward_auth}/verify/{uuid}",
        removed_headers=_REMOVED_HEADERS,
        response_headers=dict(RESPONSE_HEADERS),
        in_flight=routing.max_in_flight,
        buffered_body_bytes=_BUFFERED_BODY_BYTES,
        prefixes=[f"/{uuid}"],
    )
    route = _ingress_route if routing.kind == "traefik" else _http_route
    return [with_digest(each) for each in (*middlewares, route(serve, routing, port))]


def _cors(serve: ModelServe, routing: Routing) -> list[Manifest]:
    if not routing.cors_origins:
        return []
    return render(
        "modelserve/gateway/cors.yaml.j2",
        meta=_metadata(serve, _CORS),
        origins=routing.cors_origins,
    )


def tls_of(routing: Routing) -> Manifest:
    """`tls` of an IngressRoute."""
    return {"certResolver": routing.cert_resolver} if routing.cert_resolver else {}


def parent_of(routing: Routing) -> Manifest:
    """The `parentRef` of an HTTPRoute."""
    return {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        **dict(zip(("namespace", "name", "sectionName"), routing.parent, strict=False)),
    }


def _ingress_route(serve: ModelServe, routing: Routing, port: int) -> Manifest:
    uuid = serve.server_id
    path = f"Path(`/{uuid}`) || PathPrefix(`/{uuid}/`)"
    return render(
        "modelserve/gateway/ingressroute.yaml.j2",
        meta=_metadata(serve),
        entry_points=routing.entry_points,
        rules=_rules(serve, routing, f"Host(`{routing.host}`) && ({path})"),
        port=port,
        tls=tls_of(routing),
    )[0]


def _rules(serve: ModelServe, routing: Routing, match: str) -> list[Manifest]:
    """Rules by how a request's body is read; the highest priority that matches is used.

    Each has all other middlewares, so that a rule alone is as safe as all of them.
    """
    readers: Sequence[tuple[int, str, Sequence[str]]] = (
        (300, f"{match} && {_HAS_NO_BODY}", []),
        (200, f"{match} && {_IS_SHORT}", [_SHORT]),
        (100, match, [_BODY]),
    )
    return [
        {
            "match": rule,
            "priority": priority,
            "middlewares": [{"name": name} for name in _middlewares(serve, routing, reader)],
        }
        for priority, rule, reader in readers
    ]


def _http_route(serve: ModelServe, routing: Routing, port: int) -> Manifest:
    reference = {"group": "traefik.io", "kind": "Middleware"}
    return render(
        "modelserve/gateway/httproute.yaml.j2",
        meta=_metadata(serve),
        parents=[parent_of(routing)],
        hostnames=[routing.host],
        prefix=f"/{serve.server_id}",
        filters=[
            {"type": "ExtensionRef", "extensionRef": {**reference, "name": name}}
            for name in _middlewares(serve, routing, [_BODY])
        ],
        port=port,
    )[0]


def _middlewares(serve: ModelServe, routing: Routing, reader: Sequence[str]) -> Sequence[str]:
    cors = (_CORS,) if routing.cors_origins else ()
    order = (*cors, *_BEFORE_BODY, *reader, *_AFTER_BODY)
    return [f"{names.child_name(serve.meta.name)}-{suffix}" for suffix in order]


def _metadata(serve: ModelServe, suffix: str = "") -> Manifest:
    child = names.child_name(serve.meta.name)
    return {
        "name": f"{child}-{suffix}" if suffix else child,
        "namespace": serve.meta.namespace,
        "labels": names.labels(serve),
        "ownerReferences": [names.owner_reference(serve)],
    }
