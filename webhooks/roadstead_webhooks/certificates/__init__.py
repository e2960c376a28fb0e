"""The keys that the webhooks make for themselves: TLS certificates, and those of receipts."""
