"""Scores of label masks. `confusion` needs no torch: it runs in CPU processes."""
