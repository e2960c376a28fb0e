"""Settings of `roadstead fetch`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.settings import EnvReader


@dataclasses.dataclass(frozen=True, kw_only=True)
class FetchSettings:
    """What to fetch, and the target.

    `url_file` contains a presigned GET URL; it is read at each attempt, since the operator renews
    it. `sha256` is 64 lowercase hex digits, `size_bytes` the size of the whole file.
    """

    url_file: Path
    target: Path
    sha256: str
    size_bytes: int
    connections: int
    attempts: int
    """Attempts per range before the container exits (and is restarted)."""
    termination_log: Path
    authorities: Authorities = SYSTEM_AUTHORITIES
    """The authorities of the store's certificate."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> FetchSettings:
        """Read the environment; raises InvalidSettings with all faults."""
        env = EnvReader(environ)
        sha256 = env.text("ROADSTEAD_FETCH_SHA256")
        if sha256 and not re.fullmatch(r"[0-9a-f]{64}", sha256):
            env.fault("ROADSTEAD_FETCH_SHA256", "is not 64 lowercase hex digits")
        settings = cls(
            url_file=env.file("ROADSTEAD_FETCH_URL_FILE"),
            target=env.file("ROADSTEAD_FETCH_TARGET", "/models/model.gguf"),
            sha256=sha256,
            size_bytes=env.integer("ROADSTEAD_FETCH_SIZE", 0, low=1),
            connections=env.integer("ROADSTEAD_FETCH_CONNECTIONS", 3, high=8),
            attempts=env.integer("ROADSTEAD_FETCH_ATTEMPTS", 6, high=100),
            termination_log=env.file("ROADSTEAD_FETCH_TERMINATION_LOG", "/dev/termination-log"),
            authorities=Authorities.read(env),
        )
        env.done()
        return settings
