"""Predictions of a segmenter: forward passes, and the dense CRF behind them."""
