"""Several runs side by side: their settings, numbers, curves and pictures."""
