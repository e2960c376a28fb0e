"""The certificate authorities that TLS connections trust, and the SSL contexts for them.

An installation adds private authorities to the system's, or replaces those, by a file that is
mounted from a ConfigMap or Secret. A changed file is used for the next connection. Every context of
a client is created here, except that of an API server, whose authority a kubeconfig has.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
import re
import ssl
import threading
from pathlib import Path
from typing import Final, Self

from prometheus_client import Gauge

from roadstead.errors import InvalidSettings
from roadstead.settings import EnvReader

logger = logging.getLogger(__name__)

FILE_VARIABLE: Final = "ROADSTEAD_TRUST_FILE"
MODE_VARIABLE: Final = "ROADSTEAD_TRUST_MODE"
ADD: Final = "add"
REPLACE: Final = "replace"
MAX_BUNDLE_BYTES: Final = 512 * 1024
"""A bundle is copied into a Secret of each server, which has at most 1 MiB."""
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_CERTIFICATE: Final = re.compile(f"{_BEGIN}[A-Za-z0-9+/=\\s]+-----END CERTIFICATE-----")
_FORM: Final = f"write PEM certificates, each from {_BEGIN} to -----END CERTIFICATE-----"
_VALID: Final = Gauge(
    "roadstead_trust_file_valid",
    "Whether a file of certificate authorities is valid: 1 or 0, while its last valid content is "
    "used.",
    ["file"],
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Authorities:
    """The system's authorities, those of `file`, or both; `system` is false for the file alone."""

    file: Path | None = None
    system: bool = True

    @classmethod
    def read(cls, env: EnvReader) -> Self:
        """Read the environment and the file; faults of both are collected in `env`."""
        mode = env.choice(MODE_VARIABLE, (ADD, REPLACE), ADD)
        found = cls(file=env.optional_file(FILE_VARIABLE), system=mode == ADD)
        if found.file is None and not found.system:
            env.fault(MODE_VARIABLE, f"replace requires a file of authorities in {FILE_VARIABLE}")
            return cls()
        try:
            found.context()
        except InvalidSettings as error:
            env.fault(FILE_VARIABLE, str(error))
        return found

    @classmethod
    def of_file(cls, file: Path | None, *, otherwise: Authorities) -> Authorities:
        """Return those of a file of one peer, or `otherwise` without such a file."""
        return otherwise if file is None else cls(file=file, system=False)

    def context(self) -> ssl.SSLContext:
        """Return a client's context with the current authorities; callers must not change it.

        InvalidSettings if the file was never valid.
        """
        return _followed(self).current().context

    def new_context(self) -> ssl.SSLContext:
        """Return a context that the caller may change; raises InvalidSettings likewise."""
        return _build(self, _followed(self).current().pem)

    def pem(self) -> str:
        """Return the certificates of the file, "" without one; raises InvalidSettings likewise."""
        return _followed(self).current().pem


SYSTEM_AUTHORITIES: Final = Authorities()


def gateway_authorities(env: EnvReader) -> Authorities:
    """Read those of the gateway: of its own CA file, or else the installation's."""
    ca_file = env.optional_file("ROADSTEAD_GATEWAY_CA_FILE")
    return Authorities.of_file(ca_file, otherwise=Authorities.read(env))


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Loaded:
    pem: str
    context: ssl.SSLContext


class _Followed:
    """The last valid content of the files; shared by all that trust the same authorities."""

    def __init__(self, authorities: Authorities) -> None:
        self._authorities = authorities
        self._lock = threading.Lock()
        self._signature: object = None
        self._loaded: _Loaded | None = None
        self._fault = ""

    def current(self) -> _Loaded:
        """Return the content, read again if a file has changed."""
        with self._lock:
            signature = tuple(map(_signature, self._files()))
            if self._loaded is None or signature != self._signature:
                self._signature = signature
                self._reload()
            if self._loaded is None:
                raise InvalidSettings(self._fault)
            return self._loaded

    def _files(self) -> list[Path]:
        default = ssl.get_default_verify_paths().cafile if self._authorities.system else None
        return [Path(each) for each in (default, self._authorities.file) if each is not None]

    def _reload(self) -> None:
        file, renewed = self._authorities.file, self._loaded is not None
        try:
            pem = "" if file is None else read_certificates(file)
            self._loaded = _Loaded(pem=pem, context=_build(self._authorities, pem))
        except InvalidSettings as error:
            self._fault = str(error)
            if renewed:
                logger.warning("%s; the previous certificates stay in use", error)
        else:
            self._fault = ""
            if renewed:
                logger.info("the authorities in %s have changed", file or "the system's file")
        if file is not None:
            _VALID.labels(str(file)).set(0 if self._fault else 1)


_followed = functools.cache(_Followed)


def read_certificates(file: Path) -> str:
    """Return the certificates of a file as PEM, without what is between them.

    InvalidSettings, which names the file, if it can't be read, is too large or has none.
    """
    try:
        text = file.read_bytes().decode("ascii", errors="replace")
    except OSError as error:
        raise InvalidSettings(f"{file} can't be read: {error.strerror}; {_FORM}") from None
    if len(text) > MAX_BUNDLE_BYTES:
        message = f"{file} has more than {MAX_BUNDLE_BYTES} bytes: write only the certificates"
        raise InvalidSettings(f"{message} of the authorities that are needed")
    found = _CERTIFICATE.findall(text)
    if not found or len(found) != text.count(_BEGIN):
        what = "has an incomplete certificate" if found else "contains no certificates"
        raise InvalidSettings(f"{file} {what}; {_FORM}")
    pem = "\n".join(found) + "\n"
    try:
        ssl.create_default_context(cadata=pem)
    except ssl.SSLError:
        raise InvalidSettings(f"{file} has an invalid certificate; {_FORM}") from None
    return pem


def _build(authorities: Authorities, pem: str) -> ssl.SSLContext:
    if not authorities.system:
        return ssl.create_default_context(cadata=pem)
    context = ssl.create_default_context()
    if pem:
        context.load_verify_locations(cadata=pem)
    return context


def _signature(file: Path) -> object:
    """What changes with the file's content: a ConfigMap's file is replaced as a whole."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns
