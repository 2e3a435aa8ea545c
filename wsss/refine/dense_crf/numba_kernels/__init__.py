"""The dense CRF on a CPU: functions that numba compiles when they are first called."""
