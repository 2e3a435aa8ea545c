"""Write the report of a run.

Short for `wsss run stages=[report] …`, and takes the same settings.
"""

from wsss.cli.main import main

if __name__ == "__main__":
    main(["run", "stages=[report]"])
