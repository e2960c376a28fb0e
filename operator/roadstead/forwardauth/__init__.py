"""Forward auth: decides for the gateway whether a request may reach a server."""
