"""The schedule of the webhooks' certificates."""

from __future__ import annotations

import datetime
import itertools
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from roadstead_webhooks.certificates.authority import Pair, issue, new_authority
from roadstead_webhooks.certificates.schedule import SCHEDULE, Due, Stored, apply_due, find_due

NAMES = ("roadstead-webhooks.roadstead-system.svc",)
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
SECOND = datetime.timedelta(seconds=1)


@pytest.fixture(scope="module")
def fresh() -> Stored:
    """Return what the first replica stores at START."""
    return apply_due(None, NAMES, START)


def test_nothing_is_due_for_new_certificates(fresh: Stored) -> None:
    assert find_due(fresh, NAMES, START) is Due.NOTHING


def test_everything_is_due_without_a_secret() -> None:
    assert find_due(Stored.find({}), NAMES, START) is Due.ALL


def test_secret_with_invalid_content_is_created_again(fresh: Stored) -> None:
    spoilt = {**fresh.data(), "ca.key": b"rubbish"}
    assert find_due(Stored.find(spoilt), NAMES, START) is Due.ALL


def test_key_of_another_certificate_is_created_again(fresh: Stored) -> None:
    other = apply_due(None, NAMES, START)
    mixed = {**fresh.data(), "tls.key": other.data()["tls.key"]}
    assert Stored.find(mixed) is None


def test_stored_data_is_parsed_unchanged(fresh: Stored) -> None:
    read = Stored.parse(fresh.data())
    assert read.data() == fresh.data()


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(60 * DAY - SECOND, Due.NOTHING, id="before two thirds"),
        pytest.param(60 * DAY, Due.SERVING, id="at two thirds"),
        pytest.param(91 * DAY, Due.SERVING, id="expired"),
    ],
)
def test_the_serving_certificate_is_renewed_at_two_thirds(
    fresh: Stored, age: datetime.timedelta, expected: Due
) -> None:
    assert find_due(fresh, NAMES, START + age) is expected


def test_a_renewed_certificate_keeps_its_authority(fresh: Stored) -> None:
    after = apply_due(fresh, NAMES, START + 60 * DAY)
    assert after.bundle == fresh.bundle
    assert find_due(after, NAMES, START + 60 * DAY) is Due.NOTHING


def test_another_name_needs_another_certificate(fresh: Stored) -> None:
    assert find_due(fresh, ("webhooks.example.com",), START) is Due.SERVING


def test_a_new_authority_is_known_before_it_signs(fresh: Stored) -> None:
    now = START + SCHEDULE.authority * 2 / 3
    current = with_fresh_certificate(fresh, now)
    announced = apply_due(current, NAMES, now)
    assert announced.bundle.endswith(current.bundle)
    assert announced.serving is current.serving


def test_old_authority_is_removed_last(fresh: Stored) -> None:
    now = START + SCHEDULE.authority * 2 / 3
    current = with_fresh_certificate(fresh, now)
    announced = apply_due(current, NAMES, now)
    signed = apply_due(announced, NAMES, now + SCHEDULE.settle)
    forgotten = apply_due(signed, NAMES, now + SCHEDULE.settle + SCHEDULE.forget)
    assert signed.serving is not announced.serving
    assert signed.bundle == announced.bundle
    assert forgotten.previous == b""
    assert find_due(forgotten, NAMES, now + SCHEDULE.settle + SCHEDULE.forget) is Due.NOTHING


def with_fresh_certificate(stored: Stored, now: datetime.datetime) -> Stored:
    """Return `stored` with a serving certificate that is issued at `now`."""
    serving = issue(stored.authority, NAMES, now, SCHEDULE.serving)
    return Stored(authority=stored.authority, serving=serving, previous=stored.previous)


def test_expired_authority_is_replaced_immediately(fresh: Stored) -> None:
    assert find_due(fresh, NAMES, START + SCHEDULE.authority) is Due.ALL


@settings(max_examples=20)
@given(st.lists(st.floats(0.01, 15), min_size=1, max_size=120))
def test_previous_bundle_verifies_the_current_serving_certificate(days: list[float]) -> None:
    stored, now = apply_due(None, NAMES, START), START
    for pause in days:
        now += datetime.timedelta(days=pause)
        after = apply_due(stored, NAMES, now)
        issuers = x509.load_pem_x509_certificates(stored.bundle)
        serving = after.serving.certificate
        assert any(_issued(authority, serving) for authority in issuers)
        assert after.serving.expires_at > now
        stored = after


def _issued(authority: x509.Certificate, serving: x509.Certificate) -> bool:
    return authority.subject == serving.issuer


def test_openssl_accepts_the_chain(fresh: Stored, tmp_path: Path) -> None:
    for name, content in fresh.served().items():
        (tmp_path / name).write_bytes(content)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    now = datetime.datetime.now(datetime.UTC)
    current = apply_due(None, NAMES, now)
    for name, content in current.served().items():
        (tmp_path / name).write_bytes(content)
    server.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    client = ssl.create_default_context(cadata=current.bundle.decode())
    assert _handshake(client, server) == NAMES


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[str, ...]:
    """Return the names in the certificate that a strict client accepted, without a network."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there, server_hostname=NAMES[0])
    theirs = server.wrap_bio(there, back, server_side=True)
    pending = [ours, theirs]
    for _ in range(10):
        for side in list(pending):
            try:
                side.do_handshake()
                pending.remove(side)
            except ssl.SSLWantReadError:
                continue
    assert not pending
    certificate = ours.getpeercert()
    assert certificate is not None
    names = itertools.chain.from_iterable(certificate["subjectAltName"])
    return tuple(str(name) for name in names if name != "DNS")


def test_every_authority_has_its_own_name() -> None:
    made: list[Pair] = [new_authority(START, DAY) for _ in range(2)]
    assert made[0].certificate.subject != made[1].certificate.subject
