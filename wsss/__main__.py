"""`python -m wsss` is `wsss`."""

from wsss.cli.main import main

main()
