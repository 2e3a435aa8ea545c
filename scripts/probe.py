"""Let a linear layer learn from the masks of all images what background and classes look like.

Short for `wsss run refine=probe_crf stages=[probe] …`, and takes the same settings.
"""

from wsss.cli.main import main

if __name__ == "__main__":
    main(["run", "refine=probe_crf", "stages=[probe]"])
