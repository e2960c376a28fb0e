"""Shopify's toxiproxy: TCP proxies between two parts, which cut, slow or silence what goes by."""

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
"""`upstream` is what the client sends, `downstream` what it gets."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Link:
    """One proxy: who connects to `address` gets to its upstream, as long as nothing is wrong."""

    name: str
    port: int
    _api: str

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`"""
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break its connections off and refuse new ones."""
        _send("POST", f"{self._api}/proxies/{self.name}", {"enabled": False})

    def mend(self) -> None:
        """Let everything through again."""
        _send("POST", f"{self._api}/reset")

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Cut it for as long as the block lasts."""
        self.cut()
        try:
            yield
        finally:
            self.mend()

    @contextlib.contextmanager
    def toxic(self, kind: str, stream: Stream = "downstream", **attributes: int) -> Iterator[None]:
        """Put one of toxiproxy's toxics in for as long as the block lasts.

        `timeout` with `timeout=0` is a black hole, `latency` takes milliseconds, `bandwidth` a
        `rate` in kB/s, `reset_peer`, `limit_data` and `slicer` are as its README says.
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
        """A proxy to `upstream`, which is `HOST:PORT`; the name is its own."""
        port = free_port()
        body = {"name": name, "listen": f"127.0.0.1:{port}", "upstream": upstream, "enabled": True}
        _send("POST", f"{self.api}/proxies", body)
        try:
            yield Link(name=name, port=port, _api=self.api)
        finally:
            _send("DELETE", f"{self.api}/proxies/{name}")


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Toxiproxy]:
    """Start a server whose log is in `folder`; it ends on the way out, and with this process."""
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
