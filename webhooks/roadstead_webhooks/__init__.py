"""Roadstead's admission webhooks and forward auth."""
