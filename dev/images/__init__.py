"""The images of the local cluster, built locally without any public image registry.

`ensure("roadstead", "versitygw", "postgres")` returns docker-archive files in the per-user cache,
keyed by their inputs, so a second run builds nothing. `python -m dev.images NAME...`
does the same from a shell.
"""

from dev.images.archive import IMAGES, are_built, ensure, ensure_from, reference

__all__ = ["IMAGES", "are_built", "ensure", "ensure_from", "reference"]
