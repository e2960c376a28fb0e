"""Forward auth: what the gateway asks about each request before a server sees it."""
