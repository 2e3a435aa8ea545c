"""Turn seeds into pseudo masks.

Short for `wsss run stages=[refine] …`, and takes the same settings.
"""

from wsss.cli.main import main

if __name__ == "__main__":
    main(["run", "stages=[refine]"])
