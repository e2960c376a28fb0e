"""Roadstead brings GGUF language models on premises and serves them under contract."""
