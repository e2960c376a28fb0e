"""The custom resources, parsed from what the API server sends. No I/O."""
