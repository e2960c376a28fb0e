"""The client of the OpenID provider: reads its metadata, exchanges a code for tokens."""

from __future__ import annotations

import base64
import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, Self
from urllib.parse import quote_plus, urlsplit

import aiohttp

from roadstead.authorities import Authorities
from roadstead.errors import InvalidSettings, InvalidToken
from roadstead.proxies import Proxy, request_options
from roadstead.settings import EnvReader

DISCOVERY: Final = "/.well-known/openid-configuration"
METADATA_MAX_AGE_SECONDS: Final = 3600.0
MAX_BYTES: Final = 256 * 1024
TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
BASIC: Final = "client_secret_basic"
POST: Final = "client_secret_post"
TokenKind = Literal["id_token", "access_token"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """`issuer` is a trusted issuer; a public client has no `secret_file`."""

    issuer: str
    client: str
    scopes: str
    token: TokenKind
    """The token that becomes the session."""
    secret_file: Path | None
    authorities: Authorities
    """The authorities of its certificate."""

    @classmethod
    def read(cls, env: EnvReader, *, otherwise: Authorities) -> Self | None:
        """Read the environment; None without an issuer: users paste their tokens.

        `otherwise` are the authorities without a CA file of the provider's own.
        """
        issuer = env.text("ROADSTEAD_CONSOLE_OIDC_ISSUER", "")
        if not issuer:
            return None
        secret = env.text("ROADSTEAD_CONSOLE_OIDC_CLIENT_SECRET_FILE", "")
        ca_file = env.optional_file("ROADSTEAD_CONSOLE_OIDC_CA_FILE")
        kinds = ("id_token", "access_token")
        kind = env.choice("ROADSTEAD_CONSOLE_OIDC_TOKEN", kinds, "id_token")
        return cls(
            issuer=issuer,
            client=env.text("ROADSTEAD_CONSOLE_OIDC_CLIENT_ID"),
            scopes=env.text("ROADSTEAD_CONSOLE_OIDC_SCOPES", "openid"),
            token="access_token" if kind == "access_token" else "id_token",
            secret_file=Path(secret) if secret else None,
            authorities=Authorities.of_file(ca_file, otherwise=otherwise),
        )


class Provider:
    """Calls one provider. Every method may raise InvalidToken, with a message for the user."""

    def __init__(self, settings: ProviderSettings, *, proxy: Proxy | None = None) -> None:
        self.settings = settings
        self._proxy = proxy
        # InvalidSettings for a CA file without certificates.
        settings.authorities.context()
        self._known: tuple[float, Mapping[str, Any]] | None = None

    async def endpoint(self, name: str) -> str:
        """Return an endpoint by its name in the metadata (OpenID Connect Discovery 1.0)."""
        url = (await self._metadata()).get(name)
        same = urlsplit(self.settings.issuer).scheme
        if not isinstance(url, str) or urlsplit(url).scheme not in ("https", same):
            raise _failed(f"its metadata has no {name}")
        return url

    async def tokens(self, code: str, *, verifier: str, redirect: str) -> tuple[str, str]:
        """Return the token that becomes the session, and the ID token."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "client_id": self.settings.client,
            "code_verifier": verifier,
        }
        endpoint = await self.endpoint("token_endpoint")
        methods = (await self._metadata()).get("token_endpoint_auth_methods_supported")
        client = credentials(self.settings.client, self._secret(), methods)
        found = await self._request("POST", endpoint, {**form, **client.form}, client.headers)
        texts = found.get(self.settings.token), found.get("id_token")
        if not all(isinstance(each, str) for each in texts):
            raise _failed(f"its response has no {self.settings.token}")
        return str(texts[0]), str(texts[1])

    async def _metadata(self) -> Mapping[str, Any]:
        if self._known is None or self._known[0] < time.monotonic():
            found = await self._request("GET", self.settings.issuer.rstrip("/") + DISCOVERY)
            if found.get("issuer") != self.settings.issuer:
                raise _failed("its metadata is of another issuer")
            self._known = time.monotonic() + METADATA_MAX_AGE_SECONDS, found
        return self._known[1]

    async def _request(
        self,
        method: str,
        url: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Mapping[str, Any]:
        """Send a request and return the JSON response."""
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=TIMEOUT, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
                ) as session,
                session.request(
                    method,
                    url,
                    data=form,
                    ssl=self.settings.authorities.context(),
                    **request_options(self._proxy, url),
                    allow_redirects=False,
                    headers={"Accept": "application/json", **headers},
                ) as response,
            ):
                data = await response.content.read(MAX_BYTES)
                status = response.status
        except InvalidSettings:
            raise _failed("the console can't read the credentials of its proxy") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _failed(f"it does not answer ({type(error).__name__})") from None
        if status != 200:
            raise _failed(f"it refused ({status})")
        try:
            found = json.loads(data)
        except ValueError:
            raise _failed("its response is not JSON") from None
        return found if isinstance(found, dict) else {}

    def _secret(self) -> str:
        """Return the client secret; empty for a public client."""
        if self.settings.secret_file is None:
            return ""
        try:
            return self.settings.secret_file.read_text().strip()
        except OSError:
            raise _failed("the console can't read its client secret") from None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClientCredentials:
    """The headers and form fields that authenticate the client at the token endpoint."""

    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    form: Mapping[str, str] = dataclasses.field(default_factory=dict)


def credentials(client: str, secret: str, methods: object) -> ClientCredentials:
    """Return credentials for a method that the provider supports; InvalidToken if there is none.

    `methods` is its `token_endpoint_auth_methods_supported`; the default is Basic. Client and
    secret are form-encoded before Basic joins them by a colon (RFC 6749, 2.3.1).
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
    raise _failed(f"it supports neither {BASIC} nor {POST}")


def _failed(why: str) -> InvalidToken:
    return InvalidToken(f"sign-in at the provider failed: {why}", reason="ProviderFailed")
