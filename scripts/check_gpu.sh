#!/usr/bin/env bash
# Is this GPU's work right? `scripts/check_gpu.sh --help` tells more.
exec "$(dirname "${BASH_SOURCE[0]}")/of_checkout.sh" check_gpu.py "$@"
