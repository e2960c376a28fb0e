"""Traefik with the routes that the operator writes, and a server behind it that may be hostile."""
