"""The flags of llama-server."""
