"""What one run shows: a command is traced, run inside its image, and compared, if asked for."""
