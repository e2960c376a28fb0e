"""Copies a model from its source to the store; transfers resume and are verified."""
