"""Traefik with the operator's routes, and a server that may be hostile."""
