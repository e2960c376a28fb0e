"""`roadstead quant`: a reference Quant service in front of a source store.

GET /download-url/{model_id}  -> {url, size, sha256, quantization, expiresAt}; 401, 404, 410, 503
GET /models                   -> {models: [id, ...]}; 401, 503
GET /healthz                  -> ok, without a token

The '/' of an id such as `org/name:Q4_K_M` is accepted unescaped and as `%2F`, which the operator
sends: some proxies decode it.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import urllib3
from aiohttp import web
from minio import Minio
from minio.error import MinioException

from roadstead import s3, tokens
from roadstead.clocks import utc_now
from roadstead.errors import InvalidSettings, InvalidToken, ModelUnknown, SourceError
from roadstead.listeners import listening_socket
from roadstead.source.quant_client import AUDIENCE, ISSUER
from roadstead.source.source_catalogue import SourceCatalogue
from roadstead.source.source_settings import QuantSettings

log = logging.getLogger("roadstead.quant")

MAX_TOKEN_LIFETIME: Final = datetime.timedelta(hours=1)
RESPONSE_SECONDS: Final = 300.0
"""A store may compute the digest of a large object before it answers."""
SETTINGS: Final = web.AppKey("settings", QuantSettings)
CATALOGUE: Final = web.AppKey("catalogue", SourceCatalogue)
PUBLIC: Final = web.AppKey("public", Minio)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def run(settings: QuantSettings) -> int:
    """Serve until SIGTERM or SIGINT; returns 0."""
    listener = listening_socket(settings.host, settings.port)
    web.run_app(application(settings), sock=listener, access_log=None, print=None)
    return 0


def application(settings: QuantSettings) -> web.Application:
    """Create the service; raises InvalidSettings if a file with a key can't be read."""
    app = web.Application(middlewares=[_handle_errors])
    app[SETTINGS] = settings
    app[CATALOGUE] = SourceCatalogue(_client(settings, settings.endpoint), settings.bucket)
    app[PUBLIC] = _client(settings, settings.public_endpoint)
    app.add_routes(
        [
            web.get("/healthz", _healthz),
            web.get("/models", _models),
            web.get("/download-url/{model_id:.+}", _download_url),
        ]
    )
    return app


@web.middleware
async def _handle_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Require a token and turn errors into responses."""
    try:
        if request.path != "/healthz":
            _authorize(request)
        return await handler(request)
    except InvalidToken as error:
        challenge = {"WWW-Authenticate": 'Bearer realm="roadstead-quant", error="invalid_token"'}
        return _error_response(401, "Unauthorized", str(error), challenge)
    except ModelUnknown as error:
        return _error_response(404, error.reason, str(error))
    except SourceError as error:
        return _error_response(410, error.reason, str(error))
    except (MinioException, urllib3.exceptions.HTTPError, InvalidSettings) as error:
        # Only the type: the text of such an error may contain a URL.
        log.error("the source store failed: %s", type(error).__name__)
        return _error_response(503, "SourceUnavailable", "the source store can't be read")


def _error_response(
    status: int, reason: str, message: str, headers: dict[str, str] | None = None
) -> web.Response:
    values = {"reason": reason, "message": message}
    return web.json_response(values, status=status, headers=headers)


def _authorize(request: web.Request) -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise InvalidToken("a bearer token is missing")
    tokens.verify(
        token.strip(),
        _read_file(request.app[SETTINGS].key_file).encode(),
        audience=AUDIENCE,
        issuer=ISSUER,
        now=utc_now(),
        max_lifetime=MAX_TOKEN_LIFETIME,
    )


async def _healthz(request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _models(request: web.Request) -> web.Response:
    ids = await asyncio.to_thread(request.app[CATALOGUE].model_ids)
    return web.json_response({"models": list(ids)})


async def _download_url(request: web.Request) -> web.Response:
    catalogue, settings = request.app[CATALOGUE], request.app[SETTINGS]
    # In a thread: a caller that disconnects doesn't abort the computation of a digest.
    entry = await asyncio.to_thread(catalogue.entry, request.match_info["model_id"])
    lifetime = datetime.timedelta(seconds=settings.url_lifetime_seconds)
    expires = utc_now() + lifetime
    url = await asyncio.to_thread(catalogue.presign, entry, request.app[PUBLIC], lifetime)
    return web.json_response(
        {
            "url": url,
            "size": entry.size_bytes,
            "sha256": entry.sha256,
            "quantization": entry.quantization,
            "expiresAt": expires.isoformat(timespec="seconds"),
        },
        headers={"Cache-Control": "no-store"},
    )


def _client(settings: QuantSettings, endpoint: str) -> Minio:
    files = s3.KeyFiles(
        access_key=settings.access_key_file,
        secret_key=settings.secret_key_file,
        session_token=settings.session_token_file,
    )
    return s3.client(
        endpoint,
        region=settings.region,
        addressing=settings.addressing,
        read=_keys_reader(files),
        pools=s3.trusting_pools(settings.authorities, read_seconds=RESPONSE_SECONDS),
    )


def _keys_reader(files: s3.KeyFiles) -> Callable[[], s3.S3Credentials]:
    def read() -> s3.S3Credentials:
        try:
            found = files.read()
        except OSError as error:
            raise InvalidSettings(f"{error.filename} can't be read: {error.strerror}") from None
        if not (found.access_key and found.secret_key):
            raise InvalidSettings("the file with the source store's access or secret key is empty")
        return found

    # Missing files are reported at startup, not by the first request.
    read()
    return read


def _read_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InvalidSettings(f"{path} can't be read: {error.strerror}") from None
