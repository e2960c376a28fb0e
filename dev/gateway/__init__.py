"""Traefik before the servers of the local cluster, and what it needs of Kubernetes."""
