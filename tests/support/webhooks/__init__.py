"""`roadstead webhooks` as a child process, and how the API server finds it."""
