"""kopf, and what adapts it."""
