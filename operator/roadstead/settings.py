"""Reads typed settings from the environment, and reports all faults in one error."""

from __future__ import annotations

import datetime
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from roadstead.errors import InvalidSettings

_DURATION: Final = re.compile(
    r"(?:(?P<days>[0-9]{1,4})d)?(?:(?P<hours>[0-9]{1,4})h)?"
    r"(?:(?P<minutes>[0-9]{1,4})m)?(?:(?P<seconds>[0-9]{1,6})s)?"
)
_PAGE_ORIGIN: Final = re.compile(
    r"([a-z][a-z0-9+.-]*)://(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?"
)
_LOG_FORMATS: Final = ("json", "console")
_LOG_LEVELS: Final = ("debug", "info", "warning", "error")
_USUAL_PORTS: Final = (("https", "443"), ("http", "80"))
MAX_ORIGINS: Final = 50
MAX_ORIGIN_LENGTH: Final = 300
ORIGIN_FORM: Final = (
    "write scheme://host[:port] in lower case, without a path and without the scheme's own port, "
    "such as https://app.example.com"
)


def duration(text: str) -> datetime.timedelta:
    """Parse a duration such as `90s`, `10m` or `1h30m`; ValueError if invalid or zero."""
    match = _DURATION.fullmatch(text)
    parts = {unit: int(value) for unit, value in match.groupdict("0").items()} if match else {}
    value = datetime.timedelta(**parts)
    if not value:
        raise ValueError(
            f"invalid duration {text!r}: expected a value such as 90s, 10m, 2h or 1h30m"
        )
    return value


def find_kubeconfig(environ: Mapping[str, str]) -> str | None:
    """The kubeconfig of a command for people: KUBECONFIG, else the user's file as with kubectl.

    None in a pod, where the client uses the ServiceAccount.
    """
    if found := environ.get("KUBECONFIG"):
        return found
    return None if "KUBERNETES_SERVICE_HOST" in environ else os.path.expanduser("~/.kube/config")


class EnvReader:
    """Reads typed values from an environment and collects faults.

    Each method returns a usable value, the default if the variable is missing or invalid, so that
    `done()` can report every fault in one `InvalidSettings`.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._faults: list[str] = []

    def done(self) -> None:
        """Raise `InvalidSettings` if there are faults."""
        if self._faults:
            raise InvalidSettings("; ".join(self._faults))

    def fault(self, name: str, message: str) -> None:
        """Add a fault of the variable `name`; settings that several parts read are added once."""
        fault = f"{name}: {message}"
        if fault not in self._faults:
            self._faults.append(fault)

    def text(self, name: str, default: str | None = None) -> str:
        """Read a string; without a default the variable is required."""
        value = self._environ.get(name, "")
        if value:
            return value
        if default is None:
            self.fault(name, "is not set")
            return ""
        return default

    def choice(self, name: str, options: Sequence[str], default: str) -> str:
        """Read one of `options`."""
        value = self.text(name, default)
        if value not in options:
            self.fault(name, f"invalid value {value!r}: expected one of {', '.join(options)}")
            return default
        return value

    def log_format(self, default: str) -> str:
        """Read the form of log lines, `json` or `console`."""
        return self.choice("ROADSTEAD_LOG_FORMAT", _LOG_FORMATS, default)

    def log_level(self) -> str:
        """Read the least level of log lines that are written."""
        return self.choice("ROADSTEAD_LOG_LEVEL", _LOG_LEVELS, "info")

    def integer(self, name: str, default: int, *, low: int = 1, high: int = 2**63) -> int:
        """Read a whole number from `low` to `high`."""
        value = self.text(name, str(default))
        if not re.fullmatch(r"-?[0-9]{1,19}", value) or not low <= int(value) <= high:
            self.fault(
                name, f"invalid value {value!r}: expected a whole number from {low} to {high}"
            )
            return default
        return int(value)

    def url(self, name: str, default: str | None = None) -> str:
        """Read an http(s) URL without user and path, such as `http://minio:9000`."""
        value = self.text(name, default)
        if value and not _is_origin(value):
            # Not quoted: it may contain a password.
            self.fault(name, "is not a URL such as http://minio:9000, without user and path")
        return value.rstrip("/")

    def items(self, name: str) -> tuple[str, ...]:
        """Read a list separated by commas; empty if missing."""
        return tuple(item.strip() for item in self.text(name, "").split(",") if item.strip())

    def ports(self, name: str) -> tuple[int, ...]:
        """Read port numbers, separated by commas; empty if missing."""
        found = self.items(name)
        for port in found:
            if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
                self.fault(name, f"invalid port {port[:20]!r}: expected numbers from 1 to 65535")
                return ()
        return tuple(int(port) for port in found)

    def origins(self, name: str) -> tuple[str, ...]:
        """Read origins as browsers send them, separated by commas; not `*` or `null`."""
        found = self.items(name)
        for origin in found:
            if not is_page_origin(origin):
                self.fault(name, f"invalid origin {origin[:200]!r}: {ORIGIN_FORM}")
        if len(found) > MAX_ORIGINS:
            self.fault(name, f"{len(found)} origins: at most {MAX_ORIGINS} are allowed")
        return found

    def names(self, name: str) -> tuple[str, ...]:
        """Read `items`, or a JSON list, in which names may contain commas; empty if missing."""
        text = self.text(name, "")
        if not text.lstrip().startswith("["):
            return self.items(name)
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, list) or not all(each and isinstance(each, str) for each in found):
            self.fault(name, 'is not a JSON list of texts such as ["one", "two"]')
            return ()
        return tuple(found)

    def file(self, name: str, default: str | None = None) -> Path:
        """Read the path of a file; it is opened at each use, since a mounted Secret changes."""
        return Path(self.text(name, default))

    def optional_file(self, name: str) -> Path | None:
        """Read the path of a file; None if it is not set."""
        path = self.text(name, "")
        return Path(path) if path else None


def is_page_origin(text: str) -> bool:
    """Whether this is a valid `Origin` of a page (RFC 6454, 6.2)."""
    match = _PAGE_ORIGIN.fullmatch(text) if len(text) <= MAX_ORIGIN_LENGTH else None
    return match is not None and (match[1], match[2]) not in _USUAL_PORTS


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    plain = not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and plain
