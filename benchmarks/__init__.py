"""Measurements against peers: one script per claim, each prints its ratio and the versions of both sides."""
