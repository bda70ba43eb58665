"""The Quest for Minimal Docker Images, replayed: `scripts/article` starts it."""
