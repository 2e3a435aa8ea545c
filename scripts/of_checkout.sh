#!/usr/bin/env bash
# Runs a Python file of this folder on the checkout's own package, whether or not another one is
# installed. Python: $PYTHON if it is set, else the checkout's environment, else the one on PATH.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [[ -z ${PYTHON:-} ]]; then
    PYTHON=$root/.venv/bin/python
    [[ -x $PYTHON ]] || PYTHON=python
fi
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
exec "$PYTHON" "$root/scripts/$1" "${@:2}"
