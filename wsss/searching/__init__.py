"""Searches: which settings to try next, by the results so far."""
