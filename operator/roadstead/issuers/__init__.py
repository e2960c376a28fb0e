"""The issuers that are trusted, and their keys: read from files and JWKS URLs, and kept fresh."""
