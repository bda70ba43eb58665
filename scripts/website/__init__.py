"""The documentation's site: `scripts/site` starts it."""
