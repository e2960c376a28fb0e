"""Content of pages and of the JSON API."""

import pytest

from dev.console import sample_ledger, samples
from dev.servers.postgres import Postgres
from tests.apiserver.console.conftest import ALICES
from tests.support.console_browser import Browser

UUID = ALICES["metadata"]["uid"]
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}"


async def test_server_page_has_details_graphs_and_commands(alice: Browser) -> None:
    text = (await alice.get(f"/servers/{UUID}")).text
    for part in (
        *(UUID, "448 MiB", "1 GiB", 'class="line"', "ContractAccepted", "contextSize"),
        "kubectl -n demo describe modelserve gemma",
        "5 replicas are too many",
    ):
        assert part in text


async def test_record_has_its_gateway_address(alice: Browser) -> None:
    record = (await alice.get(f"/api/servers/{UUID}")).json
    assert (record["server_uuid"], record["status"], record["usable"]) == (UUID, "Ready", True)
    assert record["gateway_url"].endswith(f"/{UUID}")


async def test_record_of_another_origin_has_no_open_url(alice: Browser) -> None:
    # The sample's address is not this console's origin.
    assert (await alice.get(f"/api/servers/{UUID}")).json["open_url"] == ""


async def test_names_and_parameters_are_escaped(alice: Browser, ledger: Postgres) -> None:
    hostile = samples.serve(
        "hostile",
        params={"chatTemplate": HOSTILE, "extraArgs": [HOSTILE], HOSTILE: HOSTILE},
        conditions=samples.ready("False", "Crashed", HOSTILE),
        model=HOSTILE,
    )
    await sample_ledger.write(ledger, [samples.record(hostile)])
    for path in ("/servers", f"/servers/{hostile['metadata']['uid']}", "/models"):
        text = (await alice.get(path)).text
        assert "<script>alert" not in text
        assert "<img" not in text
    assert "&lt;script&gt;alert(1)" in (await alice.get("/servers")).text
    assert "49" not in (await alice.get("/servers?q=hostile")).text.partition("onerror")[2][:60]


async def test_model_is_shown_and_found_by_display_name(alice: Browser, ledger: Postgres) -> None:
    model = samples.model("gemma-named", displayName=f"Für alle {HOSTILE}")
    await sample_ledger.write(ledger, [samples.record(model)])
    for path in ("/models?q=für+alle", "/serve"):
        text = (await alice.get(path)).text
        assert "Für alle &lt;script&gt;" in text
        assert "gemma-named" in text
        assert "<script>alert" not in text
    assert "gemma-named" not in (await alice.get("/models?q=für+keinen")).text


async def test_search_text_is_escaped(alice: Browser) -> None:
    answer = await alice.ask("GET", "/servers?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    "query", ["page=0", "page=999999", "page=-1", "page=x", "status='--", "sort=;drop", "q=%00"]
)
async def test_invalid_queries_are_ignored(alice: Browser, query: str) -> None:
    for page in ("servers", "models"):
        assert (await alice.get(f"/{page}?{query}")).status == 200


async def test_responses_have_security_headers(alice: Browser) -> None:
    for path in ("/servers", "/sign-in", "/api/me", "/nowhere", f"/servers/{UUID}"):
        headers = (await alice.get(path)).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


async def test_pages_have_no_inline_script_or_style(alice: Browser) -> None:
    for path in ("/servers", f"/servers/{UUID}", "/models", "/contracts", "/serve", "/sign-in"):
        text = (await alice.get(path)).text
        assert " style=" not in text
        assert " onclick=" not in text
        assert "<script>" not in text


async def test_unknown_server_address_is_404_for_programs(browser: Browser) -> None:
    for path in (f"/{UUID}", f"/{UUID}/v1/models"):
        assert (await browser.get(path, Accept="*/*")).status == 404


async def test_static_files_are_cacheable_by_their_digest(alice: Browser) -> None:
    page = (await alice.get("/servers")).text
    path = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert "immutable" in (await alice.get(path)).headers["Cache-Control"]
    assert (await alice.get("/static/old/console.css")).headers["Cache-Control"] == "no-store"
    assert (await alice.get("/static/x/..%2fserver.py")).status == 404
