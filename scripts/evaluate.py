"""Score seeds, pseudo masks and segmenter against ground truth.

Short for `wsss run stages=[evaluate] …`, and takes the same settings.
"""

from wsss.cli.main import main

if __name__ == "__main__":
    main(["run", "stages=[evaluate]"])
