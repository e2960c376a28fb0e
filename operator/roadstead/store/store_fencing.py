"""The fence before the store, for minio-py: the last thing before a request goes out."""

from __future__ import annotations

from typing import Any, Final

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from roadstead.fence import Fence

READING: Final = ("GET", "HEAD")


def fenced_pool(fence: Fence, **settings: Any) -> urllib3.PoolManager:
    """urllib3's pools, whose requests raise LeaseLost behind the fence; a retry is one more."""

    class Plain(_Fenced, HTTPConnection):
        held_by = fence

    class Encrypted(_Fenced, HTTPSConnection):
        held_by = fence

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Encrypted

    pools = urllib3.PoolManager(**settings)
    pools.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}
    return pools


class _Fenced(HTTPConnection):
    held_by: Fence
    _method = ""

    def putrequest(self, method: str, *arguments: Any, **given: Any) -> None:
        self._method = method
        super().putrequest(method, *arguments, **given)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        if self._method not in READING:
            self.held_by.check()
        super().send(data)
