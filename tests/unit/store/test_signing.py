"""URLs are signed with the current keys: a mounted Secret changes when they are rotated."""

import datetime
from pathlib import Path

from roadstead.api.model import StoreLocation
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_client import MinioStore

ENDPOINT = "http://minio.example.com:9000"
PLACE = StoreLocation(endpoint=ENDPOINT, bucket="models", path="gemma.gguf")


async def test_next_url_is_signed_with_the_rotated_key(tmp_path: Path) -> None:
    key = tmp_path / "key"
    access = StoreAccess(
        endpoint=ENDPOINT,
        bucket="models",
        region="us-east-1",
        access_key_file=key,
        secret_key_file=key,
    )
    store, hour = MinioStore(access), datetime.timedelta(hours=1)
    for name in ("first-key", "second-key"):
        key.write_text(name)
        assert f"X-Amz-Credential={name}" in await store.presigned_get(PLACE, hour)
