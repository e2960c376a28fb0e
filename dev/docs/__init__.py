"""What builds the documentation's site."""
