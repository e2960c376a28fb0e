"""Settings of `roadstead quant`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.s3 import Addressing
from roadstead.settings import EnvReader


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantSettings:
    """The reference Quant service in front of one bucket of a source store.

    `public_endpoint` is the address at which callers reach the source store: presigned URLs have
    it. `key_file` contains the HS256 key that callers' service tokens are signed with.
    """

    host: str
    port: int
    endpoint: str
    public_endpoint: str
    bucket: str
    region: str
    access_key_file: Path
    secret_key_file: Path
    session_token_file: Path | None
    addressing: Addressing
    key_file: Path
    url_lifetime_seconds: int
    authorities: Authorities = SYSTEM_AUTHORITIES
    """The authorities of the source store's certificate."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> QuantSettings:
        """Read the environment; raises InvalidSettings with all faults."""
        env = EnvReader(environ)
        endpoint = env.url("ROADSTEAD_QUANT_SOURCE_ENDPOINT")
        public = env.url("ROADSTEAD_QUANT_SOURCE_PUBLIC_ENDPOINT", endpoint)
        settings = cls(
            host=env.text("ROADSTEAD_QUANT_HOST", "127.0.0.1"),
            port=env.integer("ROADSTEAD_QUANT_PORT", 8090, low=0, high=65535),
            endpoint=endpoint,
            public_endpoint=public,
            bucket=env.text("ROADSTEAD_QUANT_SOURCE_BUCKET", "models"),
            region=env.text("ROADSTEAD_QUANT_SOURCE_REGION", "us-east-1"),
            access_key_file=env.file("ROADSTEAD_QUANT_SOURCE_ACCESS_KEY_FILE"),
            secret_key_file=env.file("ROADSTEAD_QUANT_SOURCE_SECRET_KEY_FILE"),
            session_token_file=env.optional_file("ROADSTEAD_QUANT_SOURCE_SESSION_TOKEN_FILE"),
            addressing=Addressing.read(
                env, "ROADSTEAD_QUANT_SOURCE_ADDRESSING", (endpoint, public)
            ),
            key_file=env.file("ROADSTEAD_QUANT_KEY_FILE"),
            url_lifetime_seconds=env.integer(
                "ROADSTEAD_QUANT_URL_LIFETIME_SECONDS", 3600, low=60, high=604_800
            ),
            authorities=Authorities.read(env),
        )
        env.done()
        return settings
