"""Builders of objects, records and tokens; a test states only what it is about."""
