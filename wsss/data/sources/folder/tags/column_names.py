"""Names that people give to the columns of their tables; without spaces, `_`, `-` and case."""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


IMAGE_NAMES = _words(
    "image images img imgs imagename imagenames imgname imagefile imgfile imagefilename imagepath "
    "imagepaths imgpath imageid imageids imgid file files filename filenames filepath filepaths "
    "fname path paths photo photos picture pictures id name key"
)
LABEL_NAMES = _words(
    "label labels class classes classname classnames labelname labelnames tag tags tagname "
    "tagnames category categories categoryname categorynames object objects target targets "
    "annotation annotations imagelabel imagelabels"
)
SPLIT_NAMES = _words(
    "split splits set subset fold partition usage phase istrain isval isvalid istest"
)
SCORE_NAMES = _words("score scores confidence probability")
ATTRIBUTE_NAMES = (
    SPLIT_NAMES
    | SCORE_NAMES
    | _words(
        "width height depth channels size area x y w h x1 y1 x2 y2 xmin ymin xmax ymax bbox box "
        "boxes segmentation polygon points difficult truncated occluded pose iscrowd verified url "
        "source license author date time timestamp md5 sha256 hash index labelid classid categoryid"
    )
)
"""What else tables tell of an image or an object: no classes, even where it is 0 or 1."""


def plain(name: str) -> str:
    """A name without case, spaces and joining signs: `File_Name` is `filename`."""
    return re.sub(r"[\s_.\-]+", "", name).casefold()


def is_index_name(name: str) -> bool:
    """Whether a name is that of a data frame's index: blank, or `Unnamed: 0`."""
    return not name or plain(name).startswith("unnamed:") or plain(name) == "index"
