"""Every folder of modules is a package: import-linter does not check other folders."""

from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]


@pytest.mark.parametrize("root", ["bench", "dev", "tests"])
def test_every_folder_of_modules_is_a_package(root: str) -> None:
    folders = {path.parent for path in (CHECKOUT / root).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
