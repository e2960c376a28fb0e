"""The console over a ledger of samples: to work on its pages, and for its pictures and tests."""
