"""The console: pages and a JSON API over the ledger, for users with a token."""
