"""Words that the documentation does without: plain technical English has others for them."""

from __future__ import annotations

import re
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
