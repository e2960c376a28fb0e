"""Store to volume: what the init container of a server does."""
