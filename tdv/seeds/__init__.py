"""Hand-written rows."""
