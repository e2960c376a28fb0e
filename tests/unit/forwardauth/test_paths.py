"""The requests of llama-server's HTTP API that each mode serves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from roadstead.forwardauth.paths import MODES, is_served
from tests.unit.forwardauth.questions import SERVER, Site, asked, bearer, token, verdict

MAIN = {
    "Chat": "/v1/chat/completions",
    "Embedding": "/v1/embeddings",
    "Rerank": "/v1/rerank",
}
DOORS = (
    *(("GET", "/v1/stream"), ("GET", "/v1/streams"), ("DELETE", "/v1/stream/a")),
    *(("GET", "/v1/stream/a"), ("POST", "/v1/chat/completions/control")),
    *(("GET", "/lora-adapters"), ("POST", "/lora-adapters"), ("GET", "/slots")),
    *(("POST", "/slots/0"), ("GET", "/props"), ("POST", "/props"), ("GET", "/metrics")),
    *(("GET", "/tools"), ("POST", "/tools"), ("GET", "/cors-proxy"), ("POST", "/cors-proxy")),
    *(("POST", "/models"), ("POST", "/models/load"), ("DELETE", "/models"), ("GET", "/")),
    *(("POST", "/v1/audio/transcriptions"), ("POST", "/api/chat"), ("GET", "/api/tags")),
)
"""Routes of llama-server that are closed to callers."""
SCHEMA = Path("crds/model.example.com_modelserves.yaml")


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_serves_only_its_own_api(mode: str) -> None:
    answered = {other for other, path in MAIN.items() if is_served(mode, "POST", path)}
    assert answered == {mode}


@pytest.mark.parametrize("mode", MODES)
def test_models_and_health_are_read_in_every_mode(mode: str) -> None:
    for path in ("/v1/models", "/health"):
        assert is_served(mode, "GET", path)
        assert is_served(mode, "HEAD", path)
        assert not is_served(mode, "POST", path)


def test_every_mode_of_the_resource_has_a_list() -> None:
    versions = yaml.safe_load(SCHEMA.read_text())["spec"]["versions"]
    spec = versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert set(MODES) == set(spec["runtimeParams"]["properties"]["mode"]["enum"])


def test_unknown_mode_serves_the_requests_of_all_modes() -> None:
    assert is_served("Speech", "GET", "/v1/models")
    assert not is_served("Speech", "POST", "/v1/chat/completions")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("method", "path"), DOORS)
async def test_other_paths_of_the_server_are_not_found(mode: str, method: str, path: str) -> None:
    site = Site()
    site.put_server(runtimeParams={"mode": mode})
    found = await verdict(site, bearer(token()), method=method, path=path)
    assert found == (404, "PathNotServed")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT"])
async def test_another_method_of_an_allowed_path_is_not_found(method: str) -> None:
    found = await verdict(Site(), bearer(token()), method=method, path=MAIN["Chat"])
    assert found == (404, "PathNotServed")


async def test_rejection_has_the_format_of_the_api_and_names_served_paths() -> None:
    question = asked(bearer(token()), method="GET", path="/slots")
    answer = await Site().endpoint.answer(question, SERVER)
    error = json.loads(answer.body)["error"]
    assert (error["type"], error["code"]) == ("not_found_error", "PathNotServed")
    assert "mode Chat" in error["message"]
    assert "POST /v1/chat/completions" in error["message"]
    assert error["message"].endswith("(docs/gateway.md)")


async def test_denied_caller_does_not_learn_the_mode() -> None:
    site, bob = Site(), bearer(token("bob", "others"))
    served = await site.endpoint.answer(asked(bob), SERVER)
    closed = await site.endpoint.answer(asked(bob, method="GET", path="/slots"), SERVER)
    assert (served.verdict.status, served.body) == (403, closed.body)


async def test_cached_verdict_allows_no_other_path() -> None:
    site = Site()
    assert await verdict(site, bearer(token())) == (200, "Allowed")
    found = await verdict(site, bearer(token()), method="POST", path="/lora-adapters")
    assert found == (404, "PathNotServed")
    assert await verdict(site, bearer(token())) == (200, "Allowed")


async def test_changed_mode_applies_to_the_next_request() -> None:
    site = Site()
    assert await verdict(site, bearer(token())) == (200, "Allowed")
    site.put_server(runtimeParams={"mode": "Embedding"})
    assert await verdict(site, bearer(token())) == (404, "PathNotServed")
    assert (await verdict(site, bearer(token()), path="/v1/embeddings"))[0] == 200


async def test_paths_are_restricted_without_admission_too() -> None:
    site = Site(contracts=False)
    found = await verdict(site, bearer(token()), method="GET", path="/slots")
    assert found == (404, "PathNotServed")


SPELLINGS = st.one_of(
    st.sampled_from(
        ["/slots", "/lora-adapters", "/v1/stream", "/tools", "/props", "/metrics"]
    ).flatmap(
        lambda door: st.sampled_from(
            [
                *(f"/v1/models/..{door}", f"/health/.{door}", f"/{door}", f"{door}/", f"{door}//"),
                *(f"/v1/models;{door}", f"{door};a=b", f"/v1/models%2f..%2f{door[1:]}"),
                *(door.upper(), door.title(), f"{door}%00", f"{door}%20", f"/v1/models{door}"),
                *(f"{door}?/v1/models", f"/v1/models#{door}", f"\\{door[1:]}", f"/.{door}"),
                *(f"/v1/models\\..{door}", f"/%2e%2e{door}", f"{door}.", f"{door}:", f"/{door}@"),
                "/" + "".join(f"%{ord(letter):02x}" for letter in door[1:]),
            ]
        )
    ),
    st.text("/.%;\\?#@:aslotprmk25eEfF", max_size=24).map(lambda text: f"/{text}"),
)


@given(SPELLINGS, st.sampled_from(["GET", "POST", "DELETE"]))
async def test_no_spelling_of_another_path_is_allowed(path: str, method: str) -> None:
    status, reason = await verdict(Site(), bearer(token()), method=method, path=path)
    assert (status, reason) in {(400, "PathInvalid"), (404, "PathNotServed")}
