"""What keeps a component running: its parts, leadership, probes, signals."""
