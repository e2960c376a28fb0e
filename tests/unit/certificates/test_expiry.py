"""The expiry of the serving certificate in the metrics."""

from __future__ import annotations

import datetime
from pathlib import Path

from prometheus_client import REGISTRY

from roadstead_webhooks.certificates.authority import issue, new_authority
from roadstead_webhooks.certificates.folder import publish
from roadstead_webhooks.serving_tls import FileCertificates

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def certify(folder: Path, days: int) -> None:
    authority = new_authority(NOW, datetime.timedelta(days=730))
    pair = issue(authority, ["webhooks.example.com"], NOW, datetime.timedelta(days=days))
    publish(folder, {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem})


def exported_expiry() -> datetime.datetime:
    name = "roadstead_certificate_expiry_timestamp_seconds"
    value = REGISTRY.get_sample_value(name, {"certificate": "serving"})
    return datetime.datetime.fromtimestamp(value or 0, datetime.UTC)


async def test_expiry_of_the_serving_certificate_is_exported(tmp_path: Path) -> None:
    certify(tmp_path, days=90)
    await FileCertificates(tmp_path).context()
    assert exported_expiry() == NOW + datetime.timedelta(days=90)


async def test_invalid_pair_changes_nothing(tmp_path: Path) -> None:
    certify(tmp_path, days=90)
    certificates = FileCertificates(tmp_path)
    await certificates.context()
    (tmp_path / "tls.key").unlink()
    certify(tmp_path / "other", days=30)
    (tmp_path / "tls.key").write_bytes((tmp_path / "other" / "tls.key").read_bytes())
    await certificates.context()
    assert exported_expiry() == NOW + datetime.timedelta(days=90)
