"""Shopify's toxiproxy: TCP proxies that cut, slow down or block connections."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from dev.binaries import ensure
from dev.servers import process
from dev.servers.process import answers, free_port

START_SECONDS = 120.0

Stream = Literal["upstream", "downstream"]
"""`upstream` is what the client sends, `downstream` what it receives."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Link:
    """A proxy: connections to `address` are forwarded to its upstream unless it is disabled."""

    name: str
    port: int
    _api: str

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`"""
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Close its connections and refuse new ones."""
        _send("POST", f"{self._api}/proxies/{self.name}", {"enabled": False})

    def restore(self) -> None:
        """Forward everything again."""
        _send("POST", f"{self._api}/reset")

    @contextlib.contextmanager
    def disconnected(self) -> Iterator[None]:
        """Cut it while the block runs."""
        self.cut()
        try:
            yield
        finally:
            self.restore()

    @contextlib.contextmanager
    def toxic(self, kind: str, stream: Stream = "downstream", **attributes: int) -> Iterator[None]:
        """Add one of toxiproxy's toxics while the block runs.

        `timeout` with `timeout=0` is a black hole, `latency` has milliseconds, `bandwidth` a
        `rate` in kB/s; for `reset_peer`, `limit_data` and `slicer` see its README.
        """
        body = {"name": kind, "type": kind, "stream": stream, "attributes": attributes}
        _send("POST", f"{self._api}/proxies/{self.name}/toxics", body)
        try:
            yield
        finally:
            _send("DELETE", f"{self._api}/proxies/{self.name}/toxics/{kind}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toxiproxy:
    """A running server."""

    api: str

    @contextlib.contextmanager
    def link(self, name: str, upstream: str) -> Iterator[Link]:
        """A proxy to `upstream`, which is `HOST:PORT`, with a unique name."""
        port = free_port()
        body = {"name": name, "listen": f"127.0.0.1:{port}", "upstream": upstream, "enabled": True}
        _send("POST", f"{self.api}/proxies", body)
        try:
            yield Link(name=name, port=port, _api=self.api)
        finally:
            _send("DELETE", f"{self.api}/proxies/{name}")


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Toxiproxy]:
    """Start a server with its log in `folder`; stop it on exit, or when this process exits."""
    port = free_port()
    command = [str(ensure("toxiproxy")["toxiproxy"]), "-host", "127.0.0.1", "-port", str(port)]
    log = folder / "toxiproxy.log"
    api = f"http://127.0.0.1:{port}"
    with process.running(
        "toxiproxy",
        command,
        log,
        functools.partial(answers, f"{api}/version"),
        seconds=START_SECONDS,
        append=True,
        bound=True,
    ):
        yield Toxiproxy(api=api)


def _send(method: str, url: str, body: dict[str, Any] | None = None) -> None:
    """Raises HTTPError with toxiproxy's answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 - our own address
    urllib.request.urlopen(request, timeout=60).close()  # noqa: S310 - our own address
