"""The rules of ResourceContracts."""
