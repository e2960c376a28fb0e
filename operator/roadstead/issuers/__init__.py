"""Trusted issuers and their keys, which are read from files and JWKS URLs and refreshed."""
