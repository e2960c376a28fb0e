"""The console: pages and a JSON API on what the ledger holds, for people with a token."""
