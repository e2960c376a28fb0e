"""The sources of the site: docs/ and pages of the repository's root, with adapted links.

The site's builder reads one folder. README.md becomes the first page; CHANGELOG.md and
CONTRIBUTING.md are pages too. Links to files outside the site, such as scripts, become plain
text.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).parents[2]
ROOT_PAGES: Final[Mapping[str, str]] = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing/index.md",
}
"""Where pages of the repository's root are in the site."""
_FENCE: Final = r"^ *```.*?^ *```"
_LINK: Final = r"(?P<picture>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)\)"
_CODE: Final = r"``.+?``|`[^`\n]+`"
_SPANS: Final = re.compile(f"{_FENCE}|{_LINK}|{_CODE}", re.MULTILINE | re.DOTALL)
"""Code is matched too, so that link-like text in it stays unchanged."""


def prepare(target: Path) -> None:
    """Write the folder that the site is built from: docs/ and the pages of the root, with links."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(CHECKOUT / "docs", target)
    for source, page in ROOT_PAGES.items():
        (target / page).write_text((CHECKOUT / source).read_text())
    sources = {page: source for source, page in ROOT_PAGES.items()}
    files = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    for page in files:
        if page.endswith(".md"):
            path, source = target / page, sources.get(page, f"docs/{page}")
            path.write_text(relinked(path.read_text(), source=source, page=page, pages=files))


def relinked(markdown: str, *, source: str, page: str, pages: set[str]) -> str:
    """The page's text; `source` is its path in the repository, `page` in the site."""

    def replaced(match: re.Match[str]) -> str:
        target = match["target"]
        if not target or "://" in target or target.startswith(("#", "mailto:")):
            return match[0]
        path, hash_sign, anchor = target.partition("#")
        found = _in_site(posixpath.normpath(posixpath.join(posixpath.dirname(source), path)))
        if found not in pages:
            return match["text"]
        relative = posixpath.relpath(found, posixpath.dirname(page) or ".")
        return f"{match['picture']}[{match['text']}]({relative}{hash_sign}{anchor})"

    return _SPANS.sub(replaced, markdown)


def _in_site(repository_path: str) -> str:
    """A repository file's path in the site; unchanged for one outside docs/ that is not a page."""
    if repository_path in ROOT_PAGES:
        return ROOT_PAGES[repository_path]
    return repository_path.removeprefix("docs/")
