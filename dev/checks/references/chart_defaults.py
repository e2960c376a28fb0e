"""chart/files/defaults.yaml: the defaults of chart/values.yaml, which templates can read."""

from __future__ import annotations

from typing import Final

import yaml

HEAD: Final = """\
# The defaults of values.yaml, written by `make references`. Helm deletes a value that is null,
# and templates can't read values.yaml: templates/_values.tpl puts these back.
"""


def defaults(text: str) -> str:
    """The content of the file, from that of values.yaml."""
    return HEAD + yaml.safe_dump(yaml.safe_load(text), sort_keys=False, allow_unicode=True)
