"""Builders of objects, records and tokens; a test states only the values that matter to it."""
