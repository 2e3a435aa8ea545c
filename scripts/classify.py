"""Train the classifier on image tags.

Short for `wsss run stages=[classify] …`, and takes the same settings.
"""

from wsss.cli.main import main

if __name__ == "__main__":
    main(["run", "stages=[classify]"])
