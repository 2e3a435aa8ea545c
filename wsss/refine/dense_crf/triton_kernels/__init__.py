"""The dense CRF's kernels for CUDA, in Triton: imported only where they are launched."""
