"""The controller of ModelServes."""
