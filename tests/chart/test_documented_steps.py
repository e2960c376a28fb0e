"""The pages about an installation work from top to bottom, on an API server.

No pods run there. `tests/support/documentation/coverage.py` has the pages, and
`tests/e2e/test_documented_steps.py` those that need a running server.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dev.servers.apiserver import running
from tests.chart.played_controllers import PlayedControllers
from tests.chart.test_release import STORAGE_CLASS
from tests.support.charts import Chart
from tests.support.documentation.blocks import Block, Kind, parse
from tests.support.documentation.coverage import RELEASE, steps
from tests.support.documentation.reader import Reader

FIRST = "docs/how-to/install.md"
"""It installs the release that the other pages use."""
LAST = ("docs/operations/ledger.md", "docs/operations/upgrade.md", "README.md")
"""They use another ledger, remove the release, and install it again."""
PAGES = steps(RELEASE)
ORDER = (FIRST, *(page for page in PAGES if page not in (FIRST, *LAST)), *LAST)
REPLACEMENTS = {
    "YOUR-REGISTRY": "registry.test",
    # The tests' Helm is built without the version of Kubernetes that a released one assumes.
    "^helm template ": "helm template --kube-version 1.37.2 ",
}
FILES = ("ca.pem", "authority-of-db.example.com.pem")
"""Certificates that the reader has; no process reads them here."""


@pytest.fixture(scope="module")
def reader(
    binaries: dict[str, Path], chart: Chart, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reader]:
    """A reader with a bare cluster that has a default StorageClass."""
    folder = tmp_path_factory.mktemp("documented")
    with running(binaries, folder) as server:
        found = Reader.with_programs(
            folder,
            binaries["kubectl"],
            chart.helm,
            replacements=REPLACEMENTS,
            KUBECONFIG=str(server.kubeconfig),
            PASSWORD="password",
        )
        for name in FILES:
            (folder / name).write_text("a certificate")
        given = f"```yaml\n{yaml.safe_dump(STORAGE_CLASS)}```\n"
        with PlayedControllers(binaries["kubectl"], server.kubeconfig).running():
            found.follow(parse("the cluster", given))
            yield found


@pytest.mark.parametrize("page", ORDER)
def test_steps_of_a_page_work(reader: Reader, page: str) -> None:
    reader.follow([each for each in PAGES[page] if is_followed(each)])


def is_followed(block: Block) -> bool:
    """Not objects of Roadstead: admission denies them, since no webhook runs."""
    return block.kind is not Kind.OBJECTS
