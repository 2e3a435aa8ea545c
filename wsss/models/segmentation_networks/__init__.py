"""Encoder-decoder networks from normalised images to logits, by the name of their architecture."""
