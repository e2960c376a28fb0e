"""Creates, reads and updates Roadstead's three kinds at the API server."""

import json
import re
from collections.abc import Awaitable, Mapping
from typing import Any

from kubernetes.aio import client

from tests.support.builders.objects import GROUP, PLURALS, VERSION, Raw

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
_INVALID_OBJECT = re.compile(r'Invalid value: "object": ')
"""The message of a rule about an object, which in Kubernetes 1.30 quotes the type."""


async def create(api: client.ApiClient, body: Raw, *, strict: bool = True) -> Raw:
    """Create `body` and return the stored object, with defaults.

    With `strict`, an unknown field is refused, as with kubectl. Raises ApiException.
    """
    validation = "Strict" if strict else "Ignore"
    where = path(body, named=False)
    return await call(api, "POST", f"{where}?fieldValidation={validation}", body)


async def get(api: client.ApiClient, body: Raw, subresource: str = "") -> Raw:
    """The stored object with the kind, namespace and name of `body`."""
    return await call(api, "GET", path(body, subresource))


async def patch(
    api: client.ApiClient, body: Raw, changes: Mapping[str, Any], subresource: str = ""
) -> Raw:
    """Merge `changes` into the object (RFC 7386: None removes a field) and return the result."""
    return await call(api, "PATCH", path(body, subresource), dict(changes), MERGE_PATCH)


async def apply(api: client.ApiClient, body: Raw, *, manager: str = "test") -> Raw:
    """Apply `body` server-side, including fields of other managers."""
    where = f"{path(body)}?fieldManager={manager}&force=true&fieldValidation=Strict"
    return await call(api, "PATCH", where, body, APPLY_PATCH)


async def delete(api: client.ApiClient, body: Raw) -> None:
    """Delete the object; one with a finalizer stays until the finalizer is removed."""
    await call(api, "DELETE", path(body))


async def refusal(attempt: Awaitable[Raw], *, allowed: str | None = None) -> str:
    """The API server's message for a request that is refused; `allowed`, if given, if it is not."""
    try:
        accepted = await attempt
    except client.ApiException as error:
        return _INVALID_OBJECT.sub("Invalid value: ", json.loads(error.body or "{}")["message"])
    if allowed is not None:
        return allowed
    raise AssertionError(f"the request was not refused: {accepted}")


def _collection(kind: str, namespace: str | None) -> str:
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{scope}/{PLURALS[kind]}"


def path(body: Raw, subresource: str = "", *, named: bool = True) -> str:
    """The object's path at the API server; the path of its collection unless `named`."""
    metadata = body["metadata"]
    where = _collection(body["kind"], metadata.get("namespace"))
    if not named:
        return where
    where = f"{where}/{metadata['name']}"
    return f"{where}/{subresource}" if subresource else where


async def call(
    api: client.ApiClient,
    method: str,
    path: str,
    body: Raw | list[Raw] | None = None,
    content_type: str = "application/json",
) -> Raw:
    """Send any request with JSON. Raises ApiException."""
    headers = {"Accept": "application/json", "Content-Type": content_type}
    request = await api.param_serialize(
        method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
    )
    response = await api.call_api(*request)
    content = await response.read()
    if response.status >= 400:
        raise client.ApiException(status=response.status, reason=response.reason, body=content)
    result: Raw = json.loads(content)
    return result


async def account_token(api: client.ApiClient, user: str, **spec: object) -> str:
    """Return a token of the ServiceAccount, as `kubectl create token` gets it."""
    namespace, name = user.split(":")[2:]
    where = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return str((await call(api, "POST", where, review))["status"]["token"])
