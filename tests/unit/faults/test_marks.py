"""The tests of faults, as docs/reference/faults.md lists them."""

from dev.checks.references.faults import MarkedTest, marked_in, marked_tests, page, titles
from tests.support.faults_table import FAULTS

MODULE = """
pytestmark = [pytest.mark.fault("R1", heals="everything")]
HEALS: Final = "the transfer resumes"

@pytest.mark.fault("R2", heals=HEALS)
def test_one(): ...

@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.fault("R3", heals="a | b"))])
async def test_two(x): ...

def helper(): ...
"""


def marked(fault: str, test: str, heals: str) -> MarkedTest:
    return MarkedTest(fault=fault, file="faults/test_x.py", test=test, heals=heals)


def test_marks_of_modules_tests_and_cases_are_found() -> None:
    assert list(marked_in(MODULE, "faults/test_x.py")) == [
        marked("R1", "test_one", "everything"),
        marked("R2", "test_one", "the transfer resumes"),
        marked("R1", "test_two", "everything"),
        marked("R3", "test_two", "a | b"),
    ]


def test_page_has_a_section_for_each_fault() -> None:
    text = page({"R1": "One", "R2": "Two"}, [marked("R2", "test_two", "a | b")])
    assert "\n## R1: One\n| test | what recovers |\n| --- | --- |\n\n## R2: Two\n" in text
    assert "| `faults/test_x.py::test_two` | a \\| b |\n" in text


def test_titles_match_the_table() -> None:
    assert titles() == FAULTS


def test_exactly_the_listed_faults_are_tested() -> None:
    assert {each.fault for each in marked_tests()} == set(FAULTS)
