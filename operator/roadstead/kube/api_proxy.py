"""The HTTP proxy between a client outside the cluster and its API server.

A pod reaches the API server directly: a proxy in its environment is for other connections. With a
kubeconfig, the context's `proxy-url` counts, and else HTTPS_PROXY with NO_PROXY, as in kubectl.
Source: golang.org/x/net/http/httpproxy, `FromEnvironment`.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from roadstead.no_proxy import NoProxy

_DEFAULT_PORTS = {"http": 80, "https": 443}


def environment_proxy(server: str, environ: Mapping[str, str]) -> str | None:
    """Return the URL of the proxy for requests to the URL `server`; None without one (pure)."""
    parts = urlsplit(server)
    proxy = _variable(environ, f"{parts.scheme}_proxy")
    excluded = NoProxy.parse(_variable(environ, "no_proxy").split(","))
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    if not proxy or excluded.matches(parts.hostname or "", port):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name.upper()) or environ.get(name) or ""
