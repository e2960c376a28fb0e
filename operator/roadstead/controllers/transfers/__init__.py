"""Transfers: the queue, and their processes or Jobs."""
