"""The reconcilers, one per kind, and what wakes them."""
