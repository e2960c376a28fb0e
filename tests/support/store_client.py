"""minio-py clients of the tests' servers."""

import ssl
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from minio import Minio

from dev.servers.objectstore import ObjectStore


def minio(store: ObjectStore, authority: Path | None = None) -> Minio:
    """A client of a server; with https it trusts `authority`."""
    endpoint = urlsplit(store.endpoint)
    context = ssl.create_default_context(cafile=str(authority)) if authority else None
    return Minio(
        endpoint.netloc,
        access_key=store.access_key,
        secret_key=store.secret_key,
        secure=endpoint.scheme == "https",
        region="us-east-1",
        http_client=urllib3.PoolManager(ssl_context=context) if context else None,
    )
