"""Train classifiers of every class against representative opponents.

Short for `wsss run cam=meng stages=[oppose] …`, and takes the same settings.
"""

from wsss.cli.main import main

if __name__ == "__main__":
    main(["run", "cam=meng", "stages=[oppose]"])
