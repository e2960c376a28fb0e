"""Parses the headers of gguf files."""
