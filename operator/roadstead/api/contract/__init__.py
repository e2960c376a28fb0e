"""ResourceContracts, and what counts against them."""
