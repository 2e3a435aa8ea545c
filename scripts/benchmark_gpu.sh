#!/usr/bin/env bash
# What does this GPU take? `scripts/benchmark_gpu.sh --help` tells more.
exec "$(dirname "${BASH_SOURCE[0]}")/of_checkout.sh" benchmark_gpu.py "$@"
