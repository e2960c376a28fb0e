"""The webhooks' own keys and certificates: created, published and rotated."""
