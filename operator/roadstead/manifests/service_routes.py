"""Routes of Services that the chart creates: of the console, and of the embedded gateway."""

from __future__ import annotations

from typing import Final

from roadstead.api.group import LABEL_MANAGED_BY, LABEL_NAME
from roadstead.api.object_names import UUID
from roadstead.api.raw import Raw, section
from roadstead.manifests.digest import with_digest
from roadstead.manifests.gateway import Routing, parent_of, tls_of
from roadstead.manifests.rendering import Manifest, render

PORT: Final = 80
_ADDRESS: Final = f"^/{UUID}/?$"


def console_route(service: Raw, routing: Routing) -> Manifest:
    """The route to the console's Service, which owns it: both are deleted together.

    On a shared host, a browser that opens a server's address gets the console's page for the
    server, since llama.cpp's page is disabled. API clients don't accept HTML and are not affected.
    """
    name = section(service, "metadata").get("name", "")
    values = {"meta": _metadata(service, "console"), "service": name, "port": PORT}
    if routing.kind == "traefik":
        host = f"Host(`{routing.console_host}`)"
        page = "Method(`GET`) && HeaderRegexp(`Accept`, `text/html`)"
        address = f"{host} && PathRegexp(`{_ADDRESS}`) && {page}"
        route = render(
            "console/ingressroute.yaml.j2",
            **values,
            entry_points=routing.entry_points,
            pages=host,
            addresses="" if routing.console_url else address,
            tls=tls_of(routing),
        )
    else:
        route = render(
            "console/httproute.yaml.j2",
            **values,
            parents=[parent_of(routing)],
            hostnames=[routing.console_host],
        )
    return with_digest(route[0])


def ping_route(service: Raw) -> Manifest:
    """The route that the readiness probe of the gateway's pods asks; its Service owns it."""
    return with_digest(render("gateway/ping.yaml.j2", meta=_metadata(service, "gateway"))[0])


def _metadata(service: Raw, component: str) -> Manifest:
    meta = section(service, "metadata")
    return {
        "name": meta["name"],
        "namespace": meta["namespace"],
        "labels": {
            LABEL_NAME: "roadstead",
            "app.kubernetes.io/component": component,
            LABEL_MANAGED_BY: "roadstead",
        },
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "Service", "name": meta["name"], "uid": meta["uid"]}
        ],
    }
