"""`python -m wsss` is `wsss`."""

from wsss.cli import main

main()
