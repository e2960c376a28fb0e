"""Each code block of the pages that users follow is run by a test, or says why none runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.charts import CHECKOUT
from tests.support.documentation.blocks import Block, Kind, all_blocks, parse
from tests.support.documentation.coverage import COVERAGES, Coverage, runner_of
from tests.support.documentation.reader import Reader

PAGE = """Text.

```sh
kubectl get models
```

1. A step:

   <!-- not run: needs Docker -->
   ```sh
   docker push x
   ```
   ```yaml
   # values.yaml
   gateway: {}
   ```

```text
output
```
"""


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader.with_programs(tmp_path, replacements={"NOWHERE": "no-such-file"})


def blocks(kind: Kind) -> list[Block]:
    return [each for each in all_blocks() if each.kind is kind and not each.reason]


def test_each_block_has_a_language() -> None:
    # `text` for output, `sh` for commands.
    assert [str(each) for each in all_blocks() if each.kind is Kind.UNKNOWN] == []


def test_commands_are_run_by_a_test_or_say_why_not() -> None:
    # Add a line to tests/support/documentation/coverage.py, or `<!-- not run: why -->` above.
    assert [str(each) for each in blocks(Kind.COMMANDS) if not runner_of(each)] == []


def test_yaml_is_of_the_chart_or_the_cluster_or_says_why_it_is_not_tried() -> None:
    assert [str(each) for each in blocks(Kind.CONFIGURATION)] == []


def test_only_what_a_test_could_run_says_why_none_does() -> None:
    assert [str(each) for each in all_blocks() if each.reason and each.kind is Kind.TEXT] == []


@pytest.mark.parametrize("coverage", COVERAGES, ids=lambda each: f"{each.page}-{each.containing}")
def test_each_line_of_the_coverage_names_a_test_and_a_block(coverage: Coverage) -> None:
    assert (CHECKOUT / coverage.test).is_file()
    assert any(coverage.covers(each) for each in blocks(Kind.COMMANDS))


def test_blocks_of_a_page_are_found_with_their_places() -> None:
    found = parse("page.md", PAGE)
    assert [(each.line, each.kind, each.reason, each.file_name) for each in found] == [
        (3, Kind.COMMANDS, "", ""),
        (10, Kind.COMMANDS, "needs Docker", ""),
        (13, Kind.VALUES, "", "values.yaml"),
        (18, Kind.TEXT, "", ""),
    ]
    assert found[1].text == "docker push x\n"


def test_no_fence_of_a_page_is_overlooked() -> None:
    for page in {each.page for each in all_blocks()}:
        fences = [line for line in (CHECKOUT / page).read_text().splitlines() if "```" in line]
        assert len(fences) == 2 * sum(each.page == page for each in all_blocks()), page


def test_a_reader_stops_at_a_command_that_fails(reader: Reader) -> None:
    page = "```sh\necho first\n```\n```sh\nls NOWHERE | cat\n```\n```sh\necho last\n```\n"
    with pytest.raises(AssertionError) as failure:
        reader.follow(parse("page.md", page))
    assert "first" in str(failure.value)
    assert "== page.md:4\n" in str(failure.value)
    assert "no-such-file" in str(failure.value)
    assert "last" not in str(failure.value)


def test_a_reader_has_the_files_and_variables_of_earlier_blocks(reader: Reader) -> None:
    page = "```yaml\n# values.yaml\nsource: {}\n```\n```sh\nFILE=values.yaml\n```\n"
    found = parse("page.md", page + '```sh\ncat "$FILE" | head -n 1; grep no "$FILE"\n```\n')
    assert reader.follow(found) == "# values.yaml\n"
    assert (reader.folder / "values.yaml").read_text() == "# values.yaml\nsource: {}\n"
