"""`python -m dev.checks.references`: regenerate the references."""

import sys

from dev.checks.references.pages import REFERENCES, pages

if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
        print(f"wrote docs/reference/{path.relative_to(REFERENCES)}", file=sys.stderr)
