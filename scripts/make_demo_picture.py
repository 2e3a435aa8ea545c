"""Stack rows of a report's gallery into the picture of the README.

Usage: python scripts/make_demo_picture.py REPORT_FOLDER PICTURE ROW [ROW …], where a row names a
file in REPORT_FOLDER/panels, without its extension.
"""

import argparse
from pathlib import Path

from PIL import Image

WIDTH_PX = 1200
GAP_PX = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report_folder", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("rows", nargs="+")
    arguments = parser.parse_args()
    rows = [Image.open(arguments.report_folder / "panels" / f"{row}.jpg") for row in arguments.rows]
    scaled = [row.resize((WIDTH_PX, round(row.height * WIDTH_PX / row.width))) for row in rows]
    height = sum(row.height + GAP_PX for row in scaled) - GAP_PX
    sheet = Image.new("RGB", (WIDTH_PX, height), "white")
    top = 0
    for row in scaled:
        sheet.paste(row, (0, top))
        top += row.height + GAP_PX
    arguments.picture.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(arguments.picture, optimize=True)


if __name__ == "__main__":
    main()
