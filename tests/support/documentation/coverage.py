"""Which test runs the commands of which page.

Blocks of YAML have no line here: `tests/chart/test_documented_values.py` renders the chart with
those that are values, and `tests/apiserver/test_documented_objects.py` applies those that are
objects.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from tests.support.documentation.blocks import Block, Kind, all_blocks

RELEASE: Final = "tests/chart/test_documented_steps.py"
"""Follows pages with the chart on an API server, where no pods run."""
CLUSTER: Final = "tests/e2e/test_documented_steps.py"
"""Follows pages on the local cluster, with a running server."""


@dataclasses.dataclass(frozen=True)
class Coverage:
    """The commands of a page, or those with a text, and a test that runs them or does the same."""

    page: str
    test: str
    containing: str = ""

    def covers(self, block: Block) -> bool:
        """Whether the block is one of these."""
        return block.page == self.page and self.containing in block.text


_HOW_TO: Final = "docs/how-to/"
_OPERATIONS: Final = "docs/operations/"
_RUNBOOKS: Final = f"{_OPERATIONS}runbooks/"
_REMOVAL: Final = "tests/e2e/test_removal.py"
_HELM_TEST: Final = "tests/e2e/gateway/test_default_gateway.py"
_CORS: Final = "tests/apiserver/gateway/test_cors.py"
_CLUSTER_TOKENS: Final = "tests/apiserver/gitops/test_cluster_tokens.py"
_LEDGER: Final = "tests/e2e/test_ledger.py"
COVERAGES: Final = (
    Coverage("README.md", RELEASE),
    Coverage(f"{_HOW_TO}install.md", RELEASE),
    Coverage(f"{_HOW_TO}private-authorities.md", RELEASE),
    Coverage(f"{_HOW_TO}private-registry.md", RELEASE),
    Coverage(f"{_HOW_TO}proxies.md", RELEASE),
    Coverage(f"{_HOW_TO}add-a-model.md", RELEASE, "create secret"),
    Coverage(f"{_HOW_TO}add-a-model.md", CLUSTER),
    Coverage(f"{_HOW_TO}write-a-contract.md", CLUSTER),
    Coverage(f"{_HOW_TO}serve-a-model.md", CLUSTER),
    Coverage(f"{_HOW_TO}call-a-server.md", CLUSTER),
    Coverage(f"{_HOW_TO}delete-models-and-contracts.md", CLUSTER),
    Coverage(f"{_HOW_TO}change-a-server.md", CLUSTER),
    Coverage(f"{_HOW_TO}ci.md", RELEASE, "openid-configuration"),
    Coverage(f"{_HOW_TO}ci.md", _CLUSTER_TOKENS),
    Coverage(f"{_HOW_TO}gitops.md", CLUSTER),
    Coverage(f"{_HOW_TO}verify.md", "tests/release/test_verifying.py"),
    Coverage("docs/tutorial.md", CLUSTER),
    Coverage("docs/gateway.md", _HELM_TEST, "helm -n roadstead-system test"),
    Coverage("docs/gateway.md", _CORS, "OPTIONS"),
    Coverage("docs/gateway.md", RELEASE, "roadstead-system"),
    Coverage("docs/gateway.md", CLUSTER),
    Coverage(f"{_OPERATIONS}upgrade.md", _REMOVAL, "roadstead release-models"),
    Coverage(f"{_OPERATIONS}upgrade.md", RELEASE),
    Coverage(f"{_OPERATIONS}monitoring.md", RELEASE),
    Coverage(f"{_OPERATIONS}ledger.md", _LEDGER, "ledger verify"),
    Coverage(f"{_OPERATIONS}ledger.md", RELEASE, "export ROADSTEAD_OWNER_PASSWORD"),
    Coverage(f"{_OPERATIONS}ledger.md", RELEASE, "for role in"),
    Coverage(f"{_OPERATIONS}ledger.md", CLUSTER),
    Coverage(f"{_RUNBOOKS}RoadsteadLedgerDropped.md", _LEDGER, "ledger verify"),
)
"""The first that covers a block counts. The cluster's test follows every other runbook."""


def runner_of(block: Block) -> str:
    """The test that runs a block of commands; empty if none does."""
    default = CLUSTER if block.page.startswith(_RUNBOOKS) else ""
    return next((each.test for each in COVERAGES if each.covers(block)), default)


def steps(test: str) -> dict[str, Sequence[Block]]:
    """The blocks of each page that a test follows: its commands, and the YAML between them."""
    pages: dict[str, list[Block]] = {}
    for block in all_blocks():
        if not block.reason and block.kind in (Kind.COMMANDS, Kind.VALUES, Kind.OBJECTS):
            pages.setdefault(block.page, []).append(block)
    wanted = {
        page: [each for each in found if each.kind is not Kind.COMMANDS or runner_of(each) == test]
        for page, found in pages.items()
    }
    return {
        page: found
        for page, found in wanted.items()
        if any(each.kind is Kind.COMMANDS for each in found)
    }
