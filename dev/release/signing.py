"""Signatures by cosign with a key of the maintainers; nothing is written to a transparency log."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev import binaries
from dev.errors import BuildFailed, DevError
from dev.release.release_build import CHECKSUMS

BUNDLE = f"{CHECKSUMS}.sigstore.json"
PUBLIC_KEY = "cosign.pub"
_WITHOUT_LOG = ("--use-signing-config=false", "--tlog-upload=false")


@dataclass(frozen=True)
class SigningKey:
    """A key as cosign names it: a file, or an address of a key management service."""

    reference: str


def read_key(environ: Mapping[str, str]) -> SigningKey | None:
    """COSIGN_KEY; its password is in COSIGN_PASSWORD. Raises DevError without the file."""
    found = environ.get("COSIGN_KEY", "")
    if not found:
        return None
    if "://" not in found and not Path(found).is_file():
        raise DevError(f"COSIGN_KEY is {found!r}, and there is no such file")
    if "COSIGN_PASSWORD" not in environ and "://" not in found:
        raise DevError("COSIGN_PASSWORD is not set: cosign would ask for it. It may be empty")
    return SigningKey(found if "://" in found else str(Path(found).resolve()))


def sign_checksums(key: SigningKey, dist: Path) -> None:
    """Write the signature over SHA256SUMS, and the public key."""
    bundle = ["--bundle", BUNDLE, "--yes", CHECKSUMS]
    _cosign("sign-blob", "--key", key.reference, *_WITHOUT_LOG, *bundle, cwd=dist)
    _cosign("public-key", "--key", key.reference, "--outfile", PUBLIC_KEY, cwd=dist)


def sign_image(key: SigningKey, reference: str) -> None:
    """Sign an image or another artifact in a registry, with all that its index names."""
    _cosign("sign", "--key", key.reference, *_WITHOUT_LOG, "--recursive", "--yes", reference)


def attest(key: SigningKey, reference: str, kind: str, predicate: Path) -> None:
    """Sign a statement about an artifact; `kind` is cosign's name of the predicate's type."""
    about = ["--type", kind, "--predicate", str(predicate), "--yes", reference]
    _cosign("attest", "--key", key.reference, *_WITHOUT_LOG, *about)


def _cosign(*arguments: str, cwd: Path | None = None) -> None:
    program = binaries.ensure("cosign")["cosign"]
    done = subprocess.run(
        [str(program), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "SIGSTORE_NO_CACHE": "true"},
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise BuildFailed(f"`cosign {arguments[0]}` failed:\n{done.stderr.strip()}")
