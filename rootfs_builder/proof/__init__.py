"""What is proved by running: a command in a root of its own, without an engine."""
