"""How several processes share the tests (pytest-xdist)."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it has no stubs


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # so that its class is Any
    """Each takes whole files in turn; one of them all that need the cluster."""

    def _split_scope(self, nodeid: str) -> str:
        return "cluster" if nodeid.startswith("tests/e2e/") else nodeid.partition("::")[0]
