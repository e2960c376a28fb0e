"""`roadstead webhooks` as a child process, and its registration at the API server."""
