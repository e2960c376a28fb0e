"""Connections of minio-py: the write fence, checked last, and the current authorities."""

from __future__ import annotations

from typing import Any, Final

import urllib3
from urllib3.connection import HTTPConnection

from roadstead.authorities import Authorities
from roadstead.fence import Fence
from roadstead.s3 import TrustingConnection

READ_METHODS: Final = ("GET", "HEAD")


def fenced_pool(fence: Fence, authorities: Authorities, **settings: Any) -> urllib3.PoolManager:
    """Return urllib3's pools, whose writes (and their retries) raise LeaseLost once fenced.

    A pool lives as long as the process, so each connection gets the context of its time.
    """

    class Plain(_Fenced, HTTPConnection):
        write_fence = fence

    class Encrypted(_Fenced, TrustingConnection):
        write_fence = fence

    Encrypted.authorities = authorities

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Encrypted

    pools = urllib3.PoolManager(ssl_context=authorities.context(), **settings)
    pools.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}
    return pools


class _Fenced(HTTPConnection):
    write_fence: Fence
    _method = ""

    def putrequest(self, method: str, *arguments: Any, **given: Any) -> None:
        self._method = method
        super().putrequest(method, *arguments, **given)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        if self._method not in READ_METHODS:
            self.write_fence.check()
        super().send(data)
