"""Files as the kernel sees them: directories as roots, path walks, and what a build reads."""
