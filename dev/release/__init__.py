"""`make release`: all files of a release in `dist/`, the same ones for the same commit.

Images are made without running any of their programs: layers are tar files written here, from
locked Debian packages and wheels. docs/contributing/releasing.md describes the procedure.
"""
