"""The console's data, from the ledger."""
