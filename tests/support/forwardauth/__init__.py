"""`roadstead forward-auth` as a child process, and servers for its requests."""
