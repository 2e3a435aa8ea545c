"""Train heads that tell where classes meet, on what the seeds are sure of.

Short for `wsss run refine=affinity stages=[affinity] …`, and takes the same settings.
"""

from wsss.cli.main import main

if __name__ == "__main__":
    main(["run", "refine=affinity", "stages=[affinity]"])
