"""Compute CAM seeds with a trained classifier.

Short for `wsss run stages=[localize] …`, and takes the same settings.
"""

from wsss.cli.main import main

if __name__ == "__main__":
    main(["run", "stages=[localize]"])
