"""Requests for an object whose token has expired, as every token does."""

from __future__ import annotations

import datetime

import pytest
from kubernetes.aio import client

from tests.apiserver.admission.conftest import MakeToken
from tests.apiserver.admission.test_updates import NAMESPACES, impersonating
from tests.apiserver.conftest import Kubectl
from tests.support.builders.objects import Raw, make_modelserve
from tests.support.custom_objects import apply, create, delete, get, patch, refusal
from tests.support.waiting import assert_eventually
from tests.support.webhooks.tokens import RECEIPT, with_token

LEFT_SECONDS = 20
"""Seconds; the object has to be applied by then, on a busy machine too."""
LEEWAY_SECONDS = 30


@pytest.fixture
def ending(token: MakeToken) -> str:
    """Return an expired token that is still valid within the leeway."""
    now = int(datetime.datetime.now(datetime.UTC).timestamp())
    return token(iat=now - 600, exp=now - LEEWAY_SECONDS + LEFT_SECONDS)


@pytest.fixture
async def applied(api: client.ApiClient, namespace: str, contract: Raw, ending: str) -> Raw:
    """Return a manifest without a token; it was applied with one that has expired."""
    manifest = make_modelserve(namespace)
    await apply(api, with_token(manifest, ending))

    async def expired() -> bool:
        other = with_token(make_modelserve(namespace), ending)
        return "TokenExpired" in await refusal(create(api, other), allowed="")

    await assert_eventually(expired, timeout=120, interval=1)
    return manifest


@pytest.mark.fault("R14", heals="labels, scaling, status and deletion need no new token")
async def test_a_server_whose_token_expired_is_labelled_scaled_and_deleted(
    api: client.ApiClient, applied: Raw
) -> None:
    before = await get(api, applied)
    await patch(api, applied, {"metadata": {"labels": {"team": "a"}, "finalizers": ["a.b/c"]}})
    scaled = await patch(api, applied, {"spec": {"replicas": 3}}, "scale")
    assert scaled["spec"]["replicas"] == 3
    await patch(api, applied, {"status": {"replicas": 3}}, "status")
    after = await get(api, applied)
    assert after["metadata"]["annotations"][RECEIPT] == before["metadata"]["annotations"][RECEIPT]
    await delete(api, applied)
    await patch(api, applied, {"metadata": {"finalizers": None}})
    assert "not found" in await refusal(get(api, applied))


@pytest.mark.fault(
    "R14", heals="the same manifest is accepted as unchanged, and an expired token in it is removed"
)
async def test_the_same_manifest_is_applied_again_without_a_token_and_with_the_expired_one(
    api: client.ApiClient, kubectl: Kubectl, applied: Raw, ending: str, namespace: str
) -> None:
    before = await get(api, applied)
    assert await apply(api, with_token(applied, ending)) == before
    after = await apply(api, applied)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
    changed = {**applied, "spec": {**applied["spec"], "runtimeParams": {"seed": 7}}}
    assert "TokenMissing" in await refusal(apply(api, changed))
    assert "TokenExpired" in await refusal(apply(api, with_token(changed, ending)))
    flags = impersonating(NAMESPACES)
    gone = kubectl("delete", "modelserves", "--all", "-n", namespace, *flags)
    assert gone.returncode == 0, gone.stderr
