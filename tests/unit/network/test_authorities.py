"""The authorities that connections trust: the system's, a file's, or both; the file is followed."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from roadstead.authorities import MAX_BUNDLE_BYTES, Authorities, read_certificates
from roadstead.errors import InvalidSettings
from roadstead.settings import EnvReader
from tests.support.certificates import Authority


@pytest.fixture
def public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The authority that is used in place of the system's."""
    found = Authority.create()
    file = tmp_path / "system.pem"
    file.write_text(found.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    return found


@pytest.fixture
def private() -> Authority:
    return Authority.create()


def serials(authorities: Authorities) -> set[int]:
    """Return the serial numbers of the trusted authorities."""
    found = authorities.context().get_ca_certs()
    return {int(str(each["serialNumber"]), 16) for each in found}


def bundle(folder: Path, *authorities: Authority, text: str = "") -> Path:
    """Replace the file of a mounted ConfigMap, as the kubelet does."""
    new, file = folder / "new.crt", folder / "ca.crt"
    new.write_text(text + "".join(each.pem for each in authorities))
    new.rename(file)
    return file


def test_without_a_file_the_systems_authorities_are_trusted(public: Authority) -> None:
    assert serials(Authorities()) == {public.certificate.serial_number}


def test_added_authorities_are_trusted_beside_the_systems(
    public: Authority, private: Authority, tmp_path: Path
) -> None:
    found = Authorities(file=bundle(tmp_path, private))
    assert serials(found) == {each.certificate.serial_number for each in (public, private)}


def test_replacing_authorities_are_trusted_alone(
    public: Authority, private: Authority, tmp_path: Path
) -> None:
    found = Authorities(file=bundle(tmp_path, private), system=False)
    assert serials(found) == {private.certificate.serial_number}


def test_changed_file_is_used_for_the_next_context(private: Authority, tmp_path: Path) -> None:
    found = Authorities(file=bundle(tmp_path, private), system=False)
    first = found.context()
    assert found.context() is first
    other = Authority.create()
    bundle(tmp_path, other)
    assert serials(found) == {other.certificate.serial_number}


def test_invalid_file_keeps_the_last_certificates_and_is_logged_once(
    private: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = Authorities(file=bundle(tmp_path, private), system=False)
    found.context()
    bundle(tmp_path, text="nothing")
    with caplog.at_level(logging.WARNING):
        assert {*serials(found), *serials(found)} == {private.certificate.serial_number}
    (record,) = caplog.records
    assert "ca.crt contains no certificates; write PEM certificates" in record.message
    assert "the previous certificates stay in use" in record.message
    assert REGISTRY.get_sample_value(
        "roadstead_trust_file_valid", {"file": str(tmp_path / "ca.crt")}
    ) == pytest.approx(0)


def test_text_between_certificates_is_ignored(private: Authority, tmp_path: Path) -> None:
    file = bundle(tmp_path, private, text="# Főtanúsítvány\nIssuer: somebody\n")
    assert read_certificates(file) == private.pem


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "ca.crt can't be read: No such file or directory", id="missing"),
        pytest.param("", "ca.crt contains no certificates; write PEM", id="empty"),
        pytest.param("-----BEGIN PRIVATE KEY-----", "contains no certificates", id="a key"),
        pytest.param(
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "has an invalid certificate",
            id="damaged",
        ),
        pytest.param(
            Authority.create().pem + "-----BEGIN CERTIFICATE-----\nAA",
            "has an incomplete certificate",
            id="truncated",
        ),
        pytest.param("x" * (MAX_BUNDLE_BYTES + 1), "has more than 524288 bytes", id="too large"),
    ],
)
def test_unusable_file_is_named_with_what_to_write(
    tmp_path: Path, text: str | None, message: str
) -> None:
    file = tmp_path / "ca.crt"
    if text is not None:
        file.write_text(text)
    env = EnvReader({"ROADSTEAD_TRUST_FILE": str(file)})
    Authorities.read(env)
    with pytest.raises(InvalidSettings, match=f"ROADSTEAD_TRUST_FILE: .*{message}"):
        env.done()


def test_replacing_nothing_is_refused() -> None:
    env = EnvReader({"ROADSTEAD_TRUST_MODE": "replace"})
    Authorities.read(env)
    with pytest.raises(InvalidSettings, match="requires a file of authorities"):
        env.done()


def test_file_of_one_peer_is_trusted_alone(private: Authority, tmp_path: Path) -> None:
    installation = Authorities()
    own = Authorities.of_file(bundle(tmp_path, private), otherwise=installation)
    assert serials(own) == {private.certificate.serial_number}
    assert Authorities.of_file(None, otherwise=installation) is installation
