"""Kernels of affinities and their walk, in Triton: imported only where they are launched."""
