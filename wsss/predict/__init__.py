"""Predictions of a finished segmenter on a user's images."""
