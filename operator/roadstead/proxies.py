"""HTTP proxies: one for each use, from explicit settings, never from HTTPS_PROXY.

The operator's connections differ: sources may be outside, while the store and the API server are
not. A process-wide proxy would also receive the requests to those.
"""

from __future__ import annotations

import base64
import dataclasses
from pathlib import Path
from typing import Final, NotRequired, Self, TypedDict
from urllib.parse import urlsplit

from roadstead.errors import InvalidSettings
from roadstead.listeners import url_host
from roadstead.no_proxy import ENTRY_FORM, NOTHING_EXCLUDED, NoProxy, is_entry
from roadstead.settings import EnvReader

DEFAULT_PROXY_PORT: Final = 80
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_URL_FORM: Final = "write http://host:port, without user and path"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Proxy:
    """An HTTP proxy at `host` and `port`, for all but what `no_proxy` matches."""

    host: str
    port: int
    no_proxy: NoProxy = NOTHING_EXCLUDED
    credentials: Path | None = None
    """A folder with the files `username` and `password`, read at each use; None without them."""

    @classmethod
    def read(cls, env: EnvReader, use: str) -> Self | None:
        """Read `ROADSTEAD_<use>_PROXY_URL` and so on; None without a URL. `env` has the faults."""
        name = f"ROADSTEAD_{use}_PROXY_URL"
        url = env.url(name, "")
        if not url:
            return None
        # TLS to the proxy itself would need TLS in TLS, which Python's sockets don't do.
        parts = urlsplit(url)
        if parts.scheme != "http":
            # Not quoted, as in EnvReader.url.
            env.fault(name, f"is not the URL of an http proxy: {_URL_FORM}")
        entries = env.items(f"ROADSTEAD_{use}_NO_PROXY")
        for entry in entries:
            if not is_entry(entry):
                env.fault(f"ROADSTEAD_{use}_NO_PROXY", f"invalid entry {entry!r}: {ENTRY_FORM}")
        return cls(
            host=parts.hostname or "",
            port=parts.port or DEFAULT_PROXY_PORT,
            no_proxy=NoProxy.parse(entries),
            credentials=env.optional_file(f"ROADSTEAD_{use}_PROXY_CREDENTIALS_DIR"),
        )

    @property
    def authority(self) -> str:
        """host:port."""
        return f"{url_host(self.host)}:{self.port}"

    def applies(self, host: str, port: int) -> bool:
        """Whether connections to this host and port use the proxy."""
        return not self.no_proxy.matches(host, port)

    def headers(self) -> dict[str, str]:
        """The header with the credentials, if there are any (RFC 9110, 11.7.2).

        InvalidSettings if they can't be read.
        """
        if self.credentials is None:
            return {}
        try:
            pair = ":".join(
                (self.credentials / name).read_text(encoding="utf-8").strip()
                for name in ("username", "password")
            )
        except OSError as error:
            message = f"the credentials of the proxy {self.authority} can't be read: "
            message += f"{error.filename}: {error.strerror}; check its Secret for username and "
            raise InvalidSettings(f"{message}password") from None
        return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


class RequestOptions(TypedDict):
    """Arguments of aiohttp's requests."""

    proxy: NotRequired[str]
    proxy_headers: NotRequired[dict[str, str]]


def request_options(proxy: Proxy | None, url: str) -> RequestOptions:
    """Return the arguments for a request of `url`; InvalidSettings without the credentials."""
    parts = urlsplit(url)
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    if proxy is None or not proxy.applies(parts.hostname or "", port):
        return {}
    return {"proxy": f"http://{proxy.authority}", "proxy_headers": proxy.headers()}
