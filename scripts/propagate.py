"""Spread seeds to the pixels that belong to them.

Short for `wsss run refine=affinity stages=[propagate] …`, and takes the same settings.
"""

from wsss.cli.main import main

if __name__ == "__main__":
    main(["run", "refine=affinity", "stages=[propagate]"])
