"""The routes that the operator writes, in a real Traefik, before a real forward auth."""
