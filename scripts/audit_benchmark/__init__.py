"""Parts of scripts/benchmark_audit.py and scripts/benchmark_hidden_tags.py."""
