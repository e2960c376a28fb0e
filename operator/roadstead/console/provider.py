"""The OpenID provider as the console asks it: for its addresses, and for a token for a code."""

from __future__ import annotations

import base64
import dataclasses
import json
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, Self
from urllib.parse import quote_plus, urlsplit

import aiohttp

from roadstead.errors import InvalidSettings, InvalidToken
from roadstead.settings import EnvReader

DISCOVERY: Final = "/.well-known/openid-configuration"
KEPT_SECONDS: Final = 3600.0
MAX_BYTES: Final = 256 * 1024
TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
BASIC: Final = "client_secret_basic"
POST: Final = "client_secret_post"
TokenKind = Literal["id_token", "access_token"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """`issuer` is one whose tokens count; `secret_file` None is a public client."""

    issuer: str
    client: str
    scopes: str
    token: TokenKind
    """Which of the two tokens becomes the session."""
    secret_file: Path | None
    ca_file: Path | None

    @classmethod
    def read(cls, env: EnvReader) -> Self | None:
        """None without an issuer: people paste their tokens."""
        issuer = env.text("ROADSTEAD_CONSOLE_OIDC_ISSUER", "")
        if not issuer:
            return None
        secret = env.text("ROADSTEAD_CONSOLE_OIDC_CLIENT_SECRET_FILE", "")
        ca = env.text("ROADSTEAD_CONSOLE_OIDC_CA_FILE", "")
        kinds = ("id_token", "access_token")
        kind = env.choice("ROADSTEAD_CONSOLE_OIDC_TOKEN", kinds, "id_token")
        return cls(
            issuer=issuer,
            client=env.text("ROADSTEAD_CONSOLE_OIDC_CLIENT_ID"),
            scopes=env.text("ROADSTEAD_CONSOLE_OIDC_SCOPES", "openid"),
            token="access_token" if kind == "access_token" else "id_token",
            secret_file=Path(secret) if secret else None,
            ca_file=Path(ca) if ca else None,
        )


class Provider:
    """Asks one provider. Every method raises InvalidToken, whose message is for the person."""

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        self._tls = _context(settings.ca_file)
        self._known: tuple[float, Mapping[str, Any]] | None = None

    async def endpoint(self, name: str) -> str:
        """An address by its name in the provider's metadata (OpenID Connect Discovery 1.0)."""
        url = (await self._metadata()).get(name)
        same = urlsplit(self.settings.issuer).scheme
        if not isinstance(url, str) or urlsplit(url).scheme not in ("https", same):
            raise _away(f"it has no {name}")
        return url

    async def tokens(self, code: str, *, verifier: str, redirect: str) -> tuple[str, str]:
        """The token that becomes the session, and the id token."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "client_id": self.settings.client,
            "code_verifier": verifier,
        }
        endpoint = await self.endpoint("token_endpoint")
        methods = (await self._metadata()).get("token_endpoint_auth_methods_supported")
        shown = credentials(self.settings.client, self._secret(), methods)
        found = await self._asked("POST", endpoint, {**form, **shown.form}, shown.headers)
        texts = found.get(self.settings.token), found.get("id_token")
        if not all(isinstance(each, str) for each in texts):
            raise _away(f"it gave no {self.settings.token}")
        return str(texts[0]), str(texts[1])

    async def _metadata(self) -> Mapping[str, Any]:
        if self._known is None or self._known[0] < time.monotonic():
            found = await self._asked("GET", self.settings.issuer.rstrip("/") + DISCOVERY)
            if found.get("issuer") != self.settings.issuer:
                raise _away("it says that it is another issuer")
            self._known = time.monotonic() + KEPT_SECONDS, found
        return self._known[1]

    async def _asked(
        self,
        method: str,
        url: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Mapping[str, Any]:
        """What it answers, as JSON."""
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=TIMEOUT, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
                ) as session,
                session.request(
                    method,
                    url,
                    data=form,
                    ssl=self._tls,
                    allow_redirects=False,
                    headers={"Accept": "application/json", **headers},
                ) as response,
            ):
                data = await response.content.read(MAX_BYTES)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _away(f"it does not answer ({type(error).__name__})") from None
        if status != 200:
            raise _away(f"it refused ({status})")
        try:
            found = json.loads(data)
        except ValueError:
            raise _away("its answer is no JSON") from None
        return found if isinstance(found, dict) else {}

    def _secret(self) -> str:
        """Empty for a public client."""
        if self.settings.secret_file is None:
            return ""
        try:
            return self.settings.secret_file.read_text().strip()
        except OSError:
            raise _away("the console's own secret for it can't be read") from None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClientCredentials:
    """What a client shows of itself at the token endpoint."""

    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    form: Mapping[str, str] = dataclasses.field(default_factory=dict)


def credentials(client: str, secret: str, methods: object) -> ClientCredentials:
    """By the first of our ways that the provider's metadata offer; InvalidToken if it has neither.

    `methods` is its `token_endpoint_auth_methods_supported`; without it, it takes Basic. Client and
    secret are encoded as in a form before Basic joins them by a colon (RFC 6749, 2.3.1).
    """
    if not secret:
        return ClientCredentials()
    offered = methods if isinstance(methods, list) else [BASIC]
    if BASIC in offered:
        pair = f"{quote_plus(client)}:{quote_plus(secret)}"
        encoded = base64.b64encode(pair.encode()).decode()
        return ClientCredentials(headers={"Authorization": f"Basic {encoded}"})
    if POST in offered:
        return ClientCredentials(form={"client_secret": secret})
    raise _away(f"it takes neither {BASIC} nor {POST}")


def _context(ca_file: Path | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        name = "ROADSTEAD_CONSOLE_OIDC_CA_FILE"
        raise InvalidSettings(f"{name}: {ca_file} has no certificates") from None


def _away(why: str) -> InvalidToken:
    return InvalidToken(f"signing in at the provider failed: {why}", reason="ProviderFailed")
