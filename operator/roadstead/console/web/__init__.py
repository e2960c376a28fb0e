"""The console's pages and their JSON API."""
