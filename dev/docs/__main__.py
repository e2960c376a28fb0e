"""`make docs`: builds the documentation as a site in site/, to be read from disk or served."""

from __future__ import annotations

import sys
from pathlib import Path

from dev.docs.site import BrokenSite, build

if __name__ == "__main__":
    try:
        build(Path("site"))
    except BrokenSite as error:
        sys.exit(f"error: {error}")
    sys.stdout.write("wrote site/: open site/index.html\n")
