"""How to reach the store: its address, and the files with its keys."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.errors import Retry, StoreError
from roadstead.fence import Fence
from roadstead.s3 import Addressing, KeyFiles, S3Credentials
from roadstead.settings import EnvReader


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreAccess:
    """The store at `endpoint` (`http[s]://host[:port]`) and the files that contain its keys.

    The files are read at each use, since a mounted Secret changes when the keys are rotated.
    """

    endpoint: str
    bucket: str
    region: str
    access_key_file: Path
    secret_key_file: Path
    session_token_file: Path | None = None
    """The file may be missing: permanent keys have no session token."""
    addressing: Addressing = Addressing.PATH
    authorities: Authorities = SYSTEM_AUTHORITIES
    """The authorities of its certificate."""
    fence: Fence = dataclasses.field(default_factory=Fence.open, repr=False, compare=False)
    """Checked right before each request that writes."""

    @classmethod
    def read(cls, env: EnvReader) -> StoreAccess:
        """Read the store's settings from the environment; faults are collected in `env`."""
        endpoint = env.url("ROADSTEAD_STORE_ENDPOINT")
        return cls(
            endpoint=endpoint,
            bucket=env.text("ROADSTEAD_STORE_BUCKET", "models"),
            region=env.text("ROADSTEAD_STORE_REGION", "us-east-1"),
            access_key_file=env.file("ROADSTEAD_STORE_ACCESS_KEY_FILE"),
            secret_key_file=env.file("ROADSTEAD_STORE_SECRET_KEY_FILE"),
            session_token_file=env.optional_file("ROADSTEAD_STORE_SESSION_TOKEN_FILE"),
            addressing=Addressing.read(env, "ROADSTEAD_STORE_ADDRESSING", (endpoint,)),
            authorities=Authorities.read(env),
        )

    def credentials(self) -> S3Credentials:
        """Return the current keys; raises StoreError if there are none."""
        files = KeyFiles(
            access_key=self.access_key_file,
            secret_key=self.secret_key_file,
            session_token=self.session_token_file,
        )
        try:
            found = files.read()
        except OSError as error:
            raise _key_missing(f"can't be read from {error.filename}: {error.strerror}") from error
        if not (found.access_key and found.secret_key):
            empty = self.secret_key_file if found.access_key else self.access_key_file
            raise _key_missing(f"is empty in {empty}")
        return found


def _key_missing(what: str) -> StoreError:
    message = f"the store's key {what}; check the Secret that is mounted there"
    return StoreError("StoreKeysMissing", message, retry=Retry.BACKOFF)
