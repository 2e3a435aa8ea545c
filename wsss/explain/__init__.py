"""Explanations of a classifier's decisions, and how good they are."""
