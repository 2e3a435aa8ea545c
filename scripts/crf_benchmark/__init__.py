"""Parts of scripts/benchmark_crf.py."""
