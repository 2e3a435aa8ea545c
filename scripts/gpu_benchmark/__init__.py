"""Parts of scripts/check_gpu.py and scripts/benchmark_gpu.py."""
