"""`roadstead token issue|inspect`: creates tokens and shows their content.

There is no default secret: without a file, the cluster's Secret is read, which the user must be
allowed to get.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import dataclasses
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from roadstead import tokens
from roadstead.api.group import ANNOTATION_AUDIENCE, ANNOTATION_ISSUER
from roadstead.api.raw import section
from roadstead.clocks import utc_now
from roadstead.errors import InvalidKey, InvalidSettings, KubeNotFound
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import SECRETS
from roadstead.settings import find_kubeconfig
from roadstead.tokens.inspection import inspect
from roadstead.tokens.keys import Key, public_keys, secret_key
from roadstead.tokens.receipts import MAX_RECEIPT_BYTES

NAME: Final = "roadstead"
"""The default iss and aud of the chart."""
SECRET_KEY: Final = "secret"  # noqa: S105 - where in the Secret it is, not what it is


@dataclasses.dataclass(frozen=True, kw_only=True)
class Signer:
    """A secret, and the iss and aud of the tokens that are signed with it."""

    secret: bytes = dataclasses.field(repr=False)
    issuer: str = NAME
    audience: str = NAME


def issue(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print a token and nothing else."""
    signer = _signer(options, environ)
    now = utc_now()
    claims: dict[str, object] = {"jti": str(uuid.uuid4())}
    if options.group:
        claims["groups"] = options.group
    if options.scope:
        claims["scope"] = " ".join(options.scope)
    names = {
        "audience": options.audience or signer.audience,
        "issuer": options.issuer or signer.issuer,
    }
    token = tokens.issue(
        signer.secret,
        subject=options.subject,
        lifetime=options.ttl,
        now=now,
        claims=claims,
        **names,
    )
    # An invalid token, such as one with a blank subject, is reported here, not at admission.
    tokens.verify(token, signer.secret, now=now, max_lifetime=options.ttl, **names)
    print(token)
    return 0


def show(options: argparse.Namespace) -> int:
    """Print the content of a token; returns 1 if it has expired or is not valid, else 0."""
    # Longer input is not a token.
    text = sys.stdin.read(2 * MAX_RECEIPT_BYTES) if options.token == "-" else options.token  # noqa: S105 - a dash
    now = int(utc_now().timestamp())
    inspection = inspect(text.strip(), now=now, keys=_keys(options))
    print(inspection.text)
    return 0 if inspection.is_valid else 1


def _keys(options: argparse.Namespace) -> Sequence[Key]:
    if options.secret_file:
        return [secret_key(_read(options.secret_file))]
    if options.public_key_file:
        return public_keys(_read(options.public_key_file))
    return ()


def _signer(options: argparse.Namespace, environ: Mapping[str, str]) -> Signer:
    if options.secret_file:
        return Signer(secret=_read(options.secret_file))
    return asyncio.run(_cluster_signer(options.secret, find_kubeconfig(environ)))


async def _cluster_signer(reference: str, kubeconfig: str | None) -> Signer:
    """The key in the Secret, with the issuer and audience in its annotations."""
    namespace, _, name = reference.partition("/")
    if not namespace or not name:
        raise InvalidSettings(f"--secret: {reference!r} is not NAMESPACE/NAME")
    client = await KubeClient.connect(kubeconfig)
    try:
        secret = await client.get(SECRETS, name, namespace)
    except KubeNotFound:
        message = f"Secret {reference} does not exist; use --secret or --secret-file"
        raise InvalidKey(message) from None
    finally:
        await client.close()
    value = (secret.get("data") or {}).get(SECRET_KEY)
    if value is None:
        raise InvalidKey(f"Secret {reference} has no key {SECRET_KEY!r}")
    annotations = section(secret, "metadata", "annotations")
    return Signer(
        secret=base64.b64decode(value),
        issuer=annotations.get(ANNOTATION_ISSUER, NAME),
        audience=annotations.get(ANNOTATION_AUDIENCE, NAME),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidSettings(f"{path} can't be read: {error.strerror}") from None
