"""Copies a model from the store to a volume, in the init container of a server."""
