"""How a server is reached from outside: its route, what stands before it, and its API key."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, Literal
from urllib.parse import urlsplit

from roadstead.api.modelserve import ModelServe
from roadstead.manifests import names
from roadstead.manifests.digest import stamped
from roadstead.manifests.gateway_headers import REQUEST_HEADERS, RESPONSE_HEADERS, none_of
from roadstead.manifests.rendering import Manifest, render

Kind = Literal["traefik", "gateway-api"]

_CORS: Final = "cors"
_ORDER: Final = ("auth", "limit", "body", "headers", "strip")
_HELD_BODY_BYTES: Final = 512 * 1024
"""Of a request that Traefik reads to its end first; it takes so much memory for each at once."""
_REMOVED_HEADERS: Final = none_of(REQUEST_HEADERS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Routing:
    """The installation's gateway, for every server alike."""

    kind: Kind
    url: str
    """`https://host[:port]`, as callers write it."""
    console_url: str = ""
    """The console's, where it has a host of its own; empty where it shares that of `url`."""
    forward_auth: str
    """`http://host`, before `/verify/<uuid>`."""
    entry_points: tuple[str, ...] = ()
    """Traefik's."""
    cert_resolver: str = ""
    """Traefik's; empty means its default certificate."""
    parent: tuple[str, ...] = ()
    """The Gateway of HTTPRoutes: namespace, name, and the listener where one is meant."""
    max_in_flight: int = 64
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call servers from a browser, as browsers write them."""

    @property
    def host(self) -> str:
        """The name alone."""
        return urlsplit(self.url).hostname or ""

    @property
    def console_host(self) -> str:
        """The name alone of the console's host."""
        return urlsplit(self.console_url or self.url).hostname or ""

    def url_of(self, server_uuid: str) -> str:
        """Where a server is reached."""
        return f"{self.url}/{server_uuid}"


def key_secret(serve: ModelServe, key: str) -> Manifest:
    """The Secret with the server's API key."""
    manifest = render(
        "modelserve/gateway/secret.yaml.j2",
        meta=_metadata(serve, names.KEY),
        data={names.API_KEY: key},
    )[0]
    return stamped(manifest)


def route_objects(serve: ModelServe, routing: Routing, port: int) -> list[Manifest]:
    """Middlewares, then the route to the Service's port: so there is none without them."""
    uuid = serve.meta.uid
    middlewares = _cors(serve, routing) + render(
        "modelserve/gateway/middlewares.yaml.j2",
        **{suffix: _metadata(serve, suffix) for suffix in _ORDER},
        address=f"{routing.forward_auth}/verify/{uuid}",
        removed_headers=_REMOVED_HEADERS,
        response_headers=dict(RESPONSE_HEADERS),
        in_flight=routing.max_in_flight,
        held_body_bytes=_HELD_BODY_BYTES,
        prefixes=[f"/{uuid}"],
    )
    route = _ingress_route if routing.kind == "traefik" else _http_route
    return [stamped(each) for each in (*middlewares, route(serve, routing, port))]


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
    uuid = serve.meta.uid
    path = f"Path(`/{uuid}`) || PathPrefix(`/{uuid}/`)"
    return render(
        "modelserve/gateway/ingressroute.yaml.j2",
        meta=_metadata(serve),
        entry_points=routing.entry_points,
        match=f"Host(`{routing.host}`) && ({path})",
        middlewares=[{"name": name} for name in _middlewares(serve, routing)],
        port=port,
        tls=tls_of(routing),
    )[0]


def _http_route(serve: ModelServe, routing: Routing, port: int) -> Manifest:
    reference = {"group": "traefik.io", "kind": "Middleware"}
    return render(
        "modelserve/gateway/httproute.yaml.j2",
        meta=_metadata(serve),
        parents=[parent_of(routing)],
        hostnames=[routing.host],
        prefix=f"/{serve.meta.uid}",
        filters=[
            {"type": "ExtensionRef", "extensionRef": {**reference, "name": name}}
            for name in _middlewares(serve, routing)
        ],
        port=port,
    )[0]


def _middlewares(serve: ModelServe, routing: Routing) -> Sequence[str]:
    order = (_CORS, *_ORDER) if routing.cors_origins else _ORDER
    return [f"{names.child_name(serve.meta.name)}-{suffix}" for suffix in order]


def _metadata(serve: ModelServe, suffix: str = "") -> Manifest:
    child = names.child_name(serve.meta.name)
    return {
        "name": f"{child}-{suffix}" if suffix else child,
        "namespace": serve.meta.namespace,
        "labels": names.labels(serve),
        "ownerReferences": [names.owner_reference(serve)],
    }
