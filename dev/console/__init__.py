"""The console with sample data: for work on its pages, screenshots and tests."""
