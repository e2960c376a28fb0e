"""The images of the local cluster, built here: no public image registry is asked for anything.

`ensure("roadstead", "minio", "postgres")` answers with docker-archive files in the per-user
cache, keyed by what goes into them, so a second run builds nothing. `python -m dev.images NAME...`
does the same from a shell.
"""

from dev.images.archive import IMAGES, are_built, ensure, ensure_of, reference

__all__ = ["IMAGES", "are_built", "ensure", "ensure_of", "reference"]
