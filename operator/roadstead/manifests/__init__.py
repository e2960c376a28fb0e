"""The desired objects, rendered from templates/. No I/O except reading templates."""
