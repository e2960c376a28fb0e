"""The controller of ResourceContracts."""
