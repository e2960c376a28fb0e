"""Roadstead's webhooks: admission."""
