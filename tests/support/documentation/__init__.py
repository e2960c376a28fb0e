"""The documentation's code blocks, and a reader who follows them."""
