"""Words that documentation and code don't use, since plain technical English has better ones."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from typing import Final

BANNED: Final = (
    *("told", "tells?", "telling", "word of", "words of", "go(?:es)? on", "went on", "going on"),
    *("stands?", "stood", "brings?", "bringing", "brought", "borne", "bears?", "mend(?:s|ed)?"),
    *("bury", "buried", "hindrances?", "breath", "befalls?", "befell", "anybody(?:'?s)?"),
    *("of its own accord", "a good minute", "no quantity", "as it was", "what is there"),
    *("looks? at", "looked at", "looking at", "whoever", "somebody else's"),
)
"""Regular expressions of whole words, in any case."""
_BANNED: Final = re.compile(rf"\b(?:{'|'.join(BANNED)})\b", re.IGNORECASE)
_CODE: Final = re.compile(r"^ *```.*?^ *```|``.+?``|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def found_in(text: str) -> Iterator[str]:
    """`line: words` of each that a text has outside code."""
    plain = _CODE.sub(lambda match: "\n" * match[0].count("\n"), text)
    for number, line in enumerate(plain.splitlines(), start=1):
        for match in _BANNED.finditer(line):
            yield f"{number}: {match[0]}"


def found_in_code(source: str) -> Iterator[str]:
    """`line: words` of each that a Python module has in its comments and strings."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            for match in _BANNED.finditer(token.string):
                line = token.start[0] + token.string.count("\n", 0, match.start())
                yield f"{line}: {match[0]}"
