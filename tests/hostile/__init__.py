"""Text of untrusted origin is processed in linear time."""
