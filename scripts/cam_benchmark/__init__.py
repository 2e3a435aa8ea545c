"""Parts of `benchmark_cam.py`: what is compared, time, memory, quality, tables."""
