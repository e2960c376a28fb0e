"""The objects that the operator wants to exist, rendered from templates/. No I/O but templates."""
