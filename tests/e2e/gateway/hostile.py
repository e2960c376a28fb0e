"""Requests that must be refused, byte by byte.

In each, `{mine}` is a server that `{token}` may use, `{theirs}` one that it may not, `{host}` the
gateway's name and port.
"""

import base64
import json
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """A request, and the statuses that refuse it; no answer is a refusal too."""

    id: str
    text: str
    statuses: frozenset[int]

    def rendered(self, **values: str) -> bytes:
        """Its bytes; each character is one byte."""
        text = self.text
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return text.encode("latin-1")


HOST = "Host: {host}"
TOKEN = "Authorization: Bearer {token}"


def _request(
    id_: str, line: str, *headers: str, statuses: tuple[int, ...], body: str = ""
) -> Hostile:
    head = "\r\n".join((line, *headers, "Connection: close"))
    return Hostile(id=id_, text=f"{head}\r\n\r\n{body}", statuses=frozenset(statuses))


def _path(id_: str, path: str, *statuses: int) -> Hostile:
    """A request with the caller's token for their own server."""
    return _request(id_, f"GET {path} HTTP/1.1", HOST, TOKEN, statuses=statuses)


def _bare(
    id_: str, *headers: str, method: str = "GET", suffix: str = "", body: str = ""
) -> Hostile:
    """A request without a valid token; the query string or headers have something else."""
    line = f"{method} /{{mine}}/health{suffix} HTTP/1.1"
    return _request(id_, line, HOST, *headers, statuses=(400, 401), body=body)


def _theirs(id_: str, *headers: str) -> Hostile:
    """A request with a token for a server that it may not use, and misleading headers."""
    line = "GET /{theirs}/health HTTP/1.1"
    return _request(id_, line, HOST, TOKEN, *headers, statuses=(400, 403))


def _unsigned() -> str:
    """A token with the algorithm `none` (RFC 7518, section 3.6)."""
    parts = ({"alg": "none", "typ": "JWT"}, {"sub": "alice", "groups": ["e2e-users"]})
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts)
    return ".".join(part.rstrip("=") for part in encoded) + "."


CREDENTIALS = (
    _bare("no-token"),
    _bare("empty-authorization", "Authorization:"),
    _bare("empty-bearer", "Authorization: Bearer "),
    _bare("basic", "Authorization: Basic YWxpY2U6YWxpY2U="),
    _bare("garbage", "Authorization: Bearer abc"),
    _bare("unsigned", f"Authorization: Bearer {_unsigned()}"),
    _bare("expired", "Authorization: Bearer {expired}"),
    _bare("other-audience", "Authorization: Bearer {other_audience}"),
    _bare("other-issuer", "Authorization: Bearer {other_issuer}"),
    _bare("cut-signature", "Authorization: Bearer {cut}"),
    _bare("token-without-scheme", "Authorization: {token}"),
    _bare("two-tokens-in-one", "Authorization: Bearer {token} {token}"),
    _bare("two-tokens-with-comma", "Authorization: Bearer {token}, Bearer {token}"),
    _bare("two-headers", TOKEN, TOKEN),
    _bare("good-then-bad-header", TOKEN, "Authorization: Bearer abc"),
    _bare("bad-then-good-header", "Authorization: Bearer abc", TOKEN),
    _bare("lower-case-scheme-garbage", "Authorization: bearer abc"),
    _bare("lower-case-scheme-two-tokens", "Authorization: bearer {token} {token}"),
    _bare("tab-for-space", "Authorization: Bearer\t{token}"),
    _bare("tab-after-space", "Authorization: Bearer \t{token}"),
    _bare("space-before-colon", "Authorization : Bearer {token}"),
    _bare("underscore-alias", "Authorization_: Bearer {token}"),
    _bare("proxy-authorization", "Proxy-Authorization: Bearer {token}"),
    _bare("api-key", "Api-Key: {token}"),
    _bare("x-api-key-underscores", "X_Api_Key: {token}"),
    _bare("x-api-key-garbage", "X-Api-Key: abc"),
    _bare("x-api-key-with-a-scheme", "X-Api-Key: Bearer {token}"),
    _bare("x-api-key-twice", "X-Api-Key: {token}", "X-Api-Key: {token}"),
    _bare("x-api-key-beside-a-bad-token", "X-Api-Key: {token}", "Authorization: Bearer abc"),
    _bare("x-api-key-beside-basic", "X-Api-Key: {token}", "Authorization: Basic YTpi"),
    _bare("forwarded-authorization", "X-Forwarded-Authorization: Bearer {token}"),
    _bare("hop-by-hop-authorization", "Connection: Authorization", "Authorization: Bearer abc"),
    _bare("query-access-token", suffix="?access_token={token}"),
    _bare("query-token", suffix="?token={token}"),
    _bare("query-api-key", suffix="?api_key={token}"),
    _bare(
        "form-access-token",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Length: 16",
        method="POST",
        body="access_token=abc",
    ),
    _bare(
        "cookie-garbage",
        "Cookie: __Host-roadstead-session=abc",
        "Sec-Fetch-Site: same-origin",
        "Sec-Fetch-Dest: empty",
    ),
    _bare("cookie-other-name", "Cookie: roadstead-session={token}"),
    _bare("probe-forged", "Authorization: Roadstead-Probe 9999999999.abc"),
    _bare("identity-forged", "X-Auth-Subject: alice", "X-Auth-Groups: e2e-users"),
    _bare("preflight", "Origin: https://evil.example", method="OPTIONS"),
    _bare("head", method="HEAD"),
    _bare("trace", method="TRACE"),
    _bare("method-override", "X-Http-Method-Override: OPTIONS", "X-Forwarded-Method: OPTIONS"),
    _bare(
        "websocket",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ),
    _bare("h2c", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk"),
)
"""Requests without a valid token."""

COOKIES = (
    _request(
        "cookie-post-without-origin",
        "POST /{mine}/tokenize HTTP/1.1",
        HOST,
        "Cookie: __Host-roadstead-session={token}",
        "Content-Length: 2",
        statuses=(403,),
        body="{}",
    ),
    _request(
        "cookie-post-from-elsewhere",
        "POST /{mine}/tokenize HTTP/1.1",
        HOST,
        "Cookie: __Host-roadstead-session={token}",
        "Origin: https://evil.example",
        "Sec-Fetch-Site: cross-site",
        "Content-Length: 2",
        statuses=(403,),
        body="{}",
    ),
    _request(
        "cookie-post-from-a-look-alike",
        "POST /{mine}/tokenize HTTP/1.1",
        HOST,
        "Cookie: __Host-roadstead-session={token}",
        "Origin: https://{host}.evil.example",
        "Content-Length: 2",
        statuses=(403,),
        body="{}",
    ),
    _request(
        "cookie-opened-as-a-page",
        "GET /{mine}/v1/models HTTP/1.1",
        HOST,
        "Cookie: __Host-roadstead-session={token}",
        "Sec-Fetch-Site: same-origin",
        "Sec-Fetch-Dest: document",
        statuses=(403,),
    ),
    _request(
        "cookie-read-without-a-browser",
        "GET /{mine}/v1/models HTTP/1.1",
        HOST,
        "Cookie: __Host-roadstead-session={token}",
        statuses=(403,),
    ),
    _request(
        "cookie-twice",
        "GET /{mine}/health HTTP/1.1",
        HOST,
        "Cookie: __Host-roadstead-session=abc; __Host-roadstead-session={token}",
        statuses=(400, 401),
    ),
)
"""Requests with the console's cookie, sent by another site's page."""

PATHS = (
    _path("theirs", "/{theirs}/health", 403),
    _path("unknown-server", "/00000000-0000-4000-8000-000000000000/health", 404),
    _path("upper-case", "/{mine_upper}/health", 404),
    _path("theirs-upper-case", "/{theirs_upper}/health", 404),
    _path("without-dashes", "/{theirs_plain}/health", 404),
    _path("braces", "/%7B{theirs}%7D/health", 400, 404),
    _path("longer-segment", "/{theirs}x/health", 404),
    _path("longer-segment-of-mine", "/{mine}{theirs}/health", 404),
    _path("trailing-dot", "/{theirs}./health", 404),
    _path("dot-segments", "/{mine}/../{theirs}/health", 400, 403),
    _path("dot-segments-inside", "/{mine}/v1/../../{theirs}/health", 400, 403),
    _path("encoded-dots", "/{mine}/%2e%2e/{theirs}/health", 400, 403),
    _path("half-encoded-dots", "/{mine}/.%2E/{theirs}/health", 400, 403),
    _path("encoded-slash", "/{mine}/..%2f{theirs}/health", 400),
    _path("encoded-slash-first", "/{mine}%2f..%2f{theirs}/health", 400, 404),
    _path("encoded-slash-upper", "/{mine}%2F..%2F{theirs}%2Fhealth", 400, 404),
    _path("twice-encoded", "/{mine}/..%252f{theirs}/health", 400),
    _path("twice-encoded-dots", "/{mine}/%252e%252e/{theirs}/health", 400),
    _path("backslash", "/{mine}/..\\{theirs}/health", 400, 404),
    _path("encoded-backslash", "/{mine}/..%5c{theirs}/health", 400),
    _path("parameters", "/{mine};v=1/../{theirs}/health", 400, 403),
    _path("dot-parameters", "/{mine}/..;/{theirs}/health", 400),
    _path("dot-parameters-with-value", "/{mine}/..;v=1/{theirs}/health", 400),
    _path("encoded-dot-parameters", "/{mine}/%2e%2e;/{theirs}/health", 400),
    _path("encoded-dots-and-slash", "/{mine}%2f%2e%2e%2f{theirs}/health", 400, 404),
    _path("overlong-dots", "/{mine}/%c0%ae%c0%ae/{theirs}/health", 400),
    _path("encoded-semicolon", "/{mine}/..%3b/{theirs}/health", 400),
    _path("encoded-question-mark", "/{mine}/..%3f/{theirs}/health", 400),
    _path("encoded-hash", "/{theirs}%23/health", 400, 404),
    _path("nul", "/{theirs}%00/health", 400, 404),
    _path("nul-in-between", "/{mine}%00/../{theirs}/health", 400, 403),
    _path("raw-nul", "/{mine}\x00/../{theirs}/health", 400),
    _path("line-break", "/{theirs}%0d%0aX-Auth-Subject:%20alice/health", 400, 403, 404),
    _path("double-slash", "//{theirs}/health", 400, 403, 404),
    _path("many-slashes", "/{mine}//..//{theirs}//health", 400, 403, 404),
    _path("without-slash", "{theirs}/health", 400),
    _path("fragment", "/{theirs}/health#/{mine}/health", 400, 403, 404),
    _path("space-in-target", "/{mine}/health /{theirs}/health", 400),
    _path("bad-escape", "/{theirs}/%zz", 400),
    _path("not-utf-8", "/{theirs}/\xff\xfe", 400, 403),
    _path("absolute-target", "https://{host}/{theirs}/health", 400, 403),
    _path("absolute-target-elsewhere", "https://evil.example/{mine}/health", 400, 404, 421),
    _path("absolute-target-userinfo", "https://{host}@evil.example/{mine}/health", 400, 404, 421),
    _path("verify", "/verify/{theirs}", 404),
    _path("dashboard", "/dashboard/", 404),
    _path("api", "/api/rawdata", 404),
    _path("ping", "/ping", 404),
    _path("metrics", "/metrics", 404),
    # The console's form, or 404 without a console.
    _path("root", "/", 303, 404),
    _request("connect", "CONNECT {host} HTTP/1.1", HOST, TOKEN, statuses=(400, 404, 405, 501)),
)
"""Requests with a valid token, to paths outside its server."""

HOSTS = (
    _request(
        "other-host",
        "GET /{mine}/health HTTP/1.1",
        "Host: evil.example",
        TOKEN,
        statuses=(404, 421),
    ),
    _request("no-host", "GET /{mine}/health HTTP/1.1", TOKEN, statuses=(400,)),
    _request("empty-host", "GET /{mine}/health HTTP/1.1", "Host:", TOKEN, statuses=(400, 404)),
    _request(
        "two-hosts",
        "GET /{mine}/health HTTP/1.1",
        HOST,
        "Host: evil.example",
        TOKEN,
        statuses=(400,),
    ),
    _request(
        "host-with-path", "GET /health HTTP/1.1", "Host: {host}/{mine}", TOKEN, statuses=(400, 404)
    ),
    _request(
        "host-with-user",
        "GET /{mine}/health HTTP/1.1",
        "Host: {host}@evil.example",
        TOKEN,
        statuses=(400, 404, 421),
    ),
    _request(
        "service-as-host",
        "GET /health HTTP/1.1",
        "Host: gemma.{namespace}.svc",
        TOKEN,
        statuses=(404, 421),
    ),
    _request(
        "forwarded-host",
        "GET /{mine}/health HTTP/1.1",
        "Host: evil.example",
        "X-Forwarded-Host: {host}",
        TOKEN,
        statuses=(404, 421),
    ),
)
"""Requests with wrong or ambiguous hosts."""

FORWARDED = (
    _theirs("forwarded-uri", "X-Forwarded-Uri: /{mine}/health"),
    _theirs("forwarded-uri-underscore", "X_Forwarded_Uri: /{mine}/health"),
    _theirs("forwarded-uri-mixed", "X-Forwarded_Uri: /{mine}/health"),
    _theirs("forwarded-uri-dot", "X.Forwarded.Uri: /{mine}/health"),
    _theirs("forwarded-uri-dot-and-dash", "X.Forwarded-Uri: /{mine}/health"),
    _theirs("forwarded-uri-twice-differently", "X-Forwarded-Uri: /{mine}/", "X_Forwarded_Uri: /"),
    _theirs("forwarded-uri-twice", "X-Forwarded-Uri: /{mine}/", "X-Forwarded-Uri: /{mine}/"),
    _theirs("forwarded-uri-hop-by-hop", "Connection: X-Forwarded-Uri, X-Forwarded-Method"),
    _request(
        "identity-hop-by-hop",
        "GET /{theirs}/health HTTP/1.1",
        HOST,
        TOKEN,
        "Connection: X-Auth-Subject, X-Auth-Groups, Authorization",
        # A token that is named as hop-by-hop (RFC 9110, section 7.6.1) may end at the gateway.
        statuses=(400, 401, 403),
    ),
    _theirs("address-of-the-verdict", "X-Original-Uri: /verify/{mine}", "X-Replaced-Path: /{mine}"),
    _theirs("forwarded-prefix", "X-Forwarded-Prefix: /{mine}"),
    _theirs("forwarded-for", "X-Forwarded-For: 127.0.0.1", "X-Real-Ip: 127.0.0.1"),
    _theirs("forwarded", "Forwarded: for=127.0.0.1;host={host};proto=https"),
    _theirs("original-url", "X-Original-Url: /{mine}/health", "X-Rewrite-Url: /{mine}/health"),
    _theirs("identity", "X-Auth-Subject: bob", "X-Auth-Groups: e2e-others"),
    _theirs("identity-underscore", "X_Auth_Subject: bob", "X_Auth_Groups: e2e-others"),
    _theirs("client-certificate", "X-Forwarded-Tls-Client-Cert: abc", "Remote-User: bob"),
    _bare(
        "forwarded-uri-of-the-probe", "X-Forwarded-Uri: /{mine}/health", "X-Forwarded-Method: GET"
    ),
    _bare("forwarded-uri-elsewhere", "X-Forwarded-Uri: /ping", "X-Forwarded-Proto: http"),
)
"""Requests with headers that the gateway itself sets, or that name another user."""

_SECOND = "GET /{theirs}/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
_WHOLE = f"0\r\n\r\n{_SECOND}"


def _smuggled(id_: str, *headers: str, body: str) -> Hostile:
    """A second request in the body of the first one, whose length is ambiguous."""
    lines = ("POST /{mine}/tokenize HTTP/1.1", HOST, *headers)
    text = "\r\n".join(lines) + f"\r\n\r\n{body}"
    return Hostile(id=id_, text=text, statuses=frozenset({400, 401, 403, 405, 501}))


SMUGGLED = (
    _smuggled(
        "length-and-chunked",
        f"Content-Length: {5 + len(_SECOND) + 200}",
        "Transfer-Encoding: chunked",
        body=_WHOLE,
    ),
    _smuggled("chunked-and-length", "Transfer-Encoding: chunked", "Content-Length: 5", body=_WHOLE),
    _smuggled("two-lengths", "Content-Length: 0", "Content-Length: 5", body=_SECOND),
    _smuggled("length-list", "Content-Length: 0, 5", body=_SECOND),
    _smuggled("signed-length", "Content-Length: +5", body=_SECOND),
    _smuggled("negative-length", "Content-Length: -1", body=_SECOND),
    _smuggled("hex-length", "Content-Length: 0x0", body=_SECOND),
    _smuggled("length-with-space", "Content-Length : 0", body=_SECOND),
    _smuggled("underscore-length", "Content_Length: 5", body=_SECOND),
    _smuggled("unknown-coding", "Transfer-Encoding: xchunked", body=_WHOLE),
    _smuggled("two-codings", "Transfer-Encoding: chunked, identity", body=_WHOLE),
    _smuggled(
        "two-coding-headers",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        body=_WHOLE,
    ),
    _smuggled("tab-coding", "Transfer-Encoding:\x0bchunked", body=_WHOLE),
    _smuggled("folded-coding", "Transfer-Encoding:", " chunked", body=_WHOLE),
    _smuggled("bad-chunk-size", "Transfer-Encoding: chunked", body=f"0x0\r\n\r\n{_SECOND}"),
    _smuggled(
        "huge-chunk-size", "Transfer-Encoding: chunked", body=f"fffffffffffffffff\r\n{_SECOND}"
    ),
    _smuggled("chunk-ends-by-newline", "Transfer-Encoding: chunked", body=f"0\n\n{_SECOND}"),
    _smuggled(
        "get-with-body", "Content-Length: 0", "X: a\nTransfer-Encoding: chunked", body=_WHOLE
    ),
    _smuggled("bare-carriage-return", "X: a\rTransfer-Encoding: chunked", body=_WHOLE),
)
"""Requests with an ambiguous end. None has a token, so none may be served."""

ALL = (*CREDENTIALS, *COOKIES, *PATHS, *HOSTS, *FORWARDED, *SMUGGLED)
