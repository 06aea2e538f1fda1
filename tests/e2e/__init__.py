"""Tests through the whole fleet: real processes, the real edge, nothing of our own replaced."""
