"""Which file of tests a process gets next."""

from pathlib import Path
from typing import Final

from tests.support.scheduling import ALONE, LONG, choose_file

TESTS: Final = Path(__file__).parents[2]

WAITING = {
    "tests/chart/test_values.py": 60,
    "tests/chart/test_rights.py": 40,
    "tests/apiserver/test_granted.py": 20,
    "tests/apiserver/console/test_pages.py": 30,
    "tests/adapters/test_fetch.py": 10,
}


def test_first_file_is_of_the_folder_with_most_tests() -> None:
    assert choose_file(WAITING, "", []) == "tests/chart/test_values.py"


def test_process_stays_in_its_folder() -> None:
    last = "tests/adapters/test_quant.py"
    assert choose_file(WAITING, last, [last, last]) == "tests/adapters/test_fetch.py"


def test_files_of_a_folder_keep_their_order() -> None:
    last = "tests/chart/test_crds.py"
    waiting = {"tests/chart/test_rights.py": 1, **WAITING}
    assert choose_file(waiting, last, []) == "tests/chart/test_rights.py"


def test_long_file_is_the_first_of_its_folder() -> None:
    waiting = {**WAITING, "tests/chart/test_release.py": 1}
    assert choose_file(waiting, "", []) == "tests/chart/test_release.py"


def test_long_files_exist() -> None:
    found = {path.name for path in TESTS.rglob("test_*.py")}
    assert set(LONG) | set(ALONE) <= found


def test_next_folder_is_one_without_other_processes() -> None:
    others = ["tests/chart/test_crds.py", "tests/apiserver/console/test_live.py"]
    assert choose_file(WAITING, "tests/faults/test_links.py", others) == (
        "tests/apiserver/test_granted.py"
    )


def test_near_folder_comes_before_a_larger_one() -> None:
    last = "tests/apiserver/gateway/test_cors.py"
    assert choose_file(WAITING, last, []) == "tests/apiserver/console/test_pages.py"


def test_crowded_folder_is_better_than_none() -> None:
    waiting = {"tests/chart/test_rights.py": 40}
    others = ["tests/chart/test_values.py"] * 3
    assert choose_file(waiting, "tests/adapters/test_fetch.py", others) in waiting


def test_tests_that_need_the_cluster_exclusively_are_last() -> None:
    waiting = {"alone": 100, "tests/e2e/test_sbom.py": 1}
    assert choose_file(waiting, "tests/chart/test_crds.py", []) == "tests/e2e/test_sbom.py"
