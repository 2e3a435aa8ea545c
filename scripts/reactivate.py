"""Train ReCAM's second classifier beside a trained one.

Short for `wsss run cam=recam stages=[reactivate] …`, and takes the same settings.
"""

from wsss.cli.main import main

if __name__ == "__main__":
    main(["run", "cam=recam", "stages=[reactivate]"])
