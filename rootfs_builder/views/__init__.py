"""Plans and images as values for people and scanners; nothing here prints."""
