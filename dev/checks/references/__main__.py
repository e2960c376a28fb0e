"""`python -m dev.checks.references`: regenerate the references."""

import sys

from dev.checks.references.pages import CHECKOUT, pages

if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
        print(f"wrote {path.relative_to(CHECKOUT)}", file=sys.stderr)
