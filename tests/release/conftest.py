"""A published release, once for all tests: it takes a minute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.release import publishing, release_build, signing
from dev.release.signing import SigningKey
from dev.servers.registry import registry
from tests.release.published import PASSWORD, Published, build, run


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    folder = tmp_path_factory.mktemp("key")
    run("cosign", "generate-key-pair", cwd=folder)
    return SigningKey(str(folder / "cosign.key"))


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory, address: str, key: SigningKey) -> Published:
    settings, dist = build(tmp_path_factory.mktemp("first"), address)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COSIGN_PASSWORD", PASSWORD["COSIGN_PASSWORD"])
        signing.sign_checksums(key, dist)
        publishing.publish(settings, dist, key)
    return Published(
        settings=settings, dist=dist, pushed=publishing.digests(dist / release_build.LAYOUT)
    )
