"""Traefik as the gateway of the local cluster, and the CRDs it requires."""
