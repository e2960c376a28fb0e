"""The measured usage of servers."""
