"""`roadstead forward-auth` as a child process, and what it is asked about."""
