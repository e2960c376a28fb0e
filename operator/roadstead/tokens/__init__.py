"""Tokens and receipts: JSON Web Tokens as RFC 7519 has them and RFC 8725 advises.

The algorithm comes from the key, never from the token; a key is bound to its issuer; what is not
signed is only ever used to look a key up in a dict.
"""

from __future__ import annotations

from roadstead.tokens.issuing import issue
from roadstead.tokens.verification import verify

__all__ = ["issue", "verify"]
