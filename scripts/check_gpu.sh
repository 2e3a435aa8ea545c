#!/usr/bin/env bash
# Is this GPU's work right? `scripts/check_gpu.sh --help` tells more.
# Python: $PYTHON if it is set, else the checkout's environment, else the one on PATH.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [[ -z ${PYTHON:-} ]]; then
    PYTHON=$root/.venv/bin/python
    [[ -x $PYTHON ]] || PYTHON=python
fi
# The checkout's own package is checked, whether or not another one is installed.
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
exec "$PYTHON" "$root/scripts/check_gpu.py" "$@"
