"""Tokens and receipts: JSON Web Tokens (RFC 7519), verified as RFC 8725 recommends.

The key determines the algorithm, never the token; a key belongs to one issuer; unverified values
are only used to find a key in a dict.
"""

from __future__ import annotations

from roadstead.tokens.issuing import issue
from roadstead.tokens.verification import verify

__all__ = ["issue", "verify"]
