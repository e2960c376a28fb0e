"""Settings of `roadstead transfer`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from roadstead.proxies import Proxy
from roadstead.settings import EnvReader
from roadstead.source.allowlist import AllowList, InvalidEntry
from roadstead.source.dial import AddressPolicy, Anywhere, Egress
from roadstead.store.store_access import StoreAccess


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferSettings:
    """`quant_key_file` contains the HS256 key for service tokens; None if Quant isn't used."""

    store: StoreAccess
    quant_endpoint: str
    """The operator's own Quant service, or "": trusted, so not on the allow-list."""
    quant_key_file: Path | None
    allow: AllowList
    connections: int
    attempts: int
    """Attempts per range or part before the transfer fails."""
    proxy: Proxy | None = None
    """For sources and Quant services; the store is reached directly."""

    @property
    def sources(self) -> Egress:
        """How the addresses on the allow-list are reached."""
        return self._egress(self.allow)

    @property
    def own_quant(self) -> Egress:
        """How the operator's own Quant service is reached."""
        return self._egress(Anywhere())

    def _egress(self, policy: AddressPolicy) -> Egress:
        return Egress(policy=policy, authorities=self.store.authorities, proxy=self.proxy)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> TransferSettings:
        """Read the environment; raises InvalidSettings with all faults."""
        env = EnvReader(environ)
        settings = cls.read(env)
        env.done()
        return settings

    @classmethod
    def read(cls, env: EnvReader) -> TransferSettings:
        """Read them together with other settings; faults are collected in `env`."""
        key_file = env.text("ROADSTEAD_QUANT_KEY_FILE", "")
        return cls(
            store=StoreAccess.read(env),
            quant_endpoint=env.url("ROADSTEAD_QUANT_ENDPOINT", ""),
            quant_key_file=Path(key_file) if key_file else None,
            allow=_allow(env),
            connections=env.integer("ROADSTEAD_TRANSFER_CONNECTIONS", 4, high=8),
            attempts=env.integer("ROADSTEAD_TRANSFER_ATTEMPTS", 6, high=100),
            proxy=Proxy.read(env, "SOURCE"),
        )


def _allow(env: EnvReader) -> AllowList:
    entries = env.items("ROADSTEAD_SOURCE_ALLOW")
    try:
        return AllowList.parse(entries)
    except InvalidEntry as error:
        env.fault("ROADSTEAD_SOURCE_ALLOW", str(error))
        return AllowList(entries=())
