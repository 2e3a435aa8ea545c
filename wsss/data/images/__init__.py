"""Image and mask files as arrays: images as upright 8-bit RGB, masks as labels."""

from wsss.data.images.embedded import read_embedded as read_embedded
from wsss.data.images.endings import COMMON_SUFFIXES as COMMON_SUFFIXES
from wsss.data.images.endings import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from wsss.data.images.file_content import content_of as content_of
from wsss.data.images.header import Header as Header
from wsss.data.images.header import read_header as read_header
from wsss.data.images.masks import check_mask_size as check_mask_size
from wsss.data.images.masks import read_mask as read_mask
from wsss.data.images.rgb import read_rgb as read_rgb
from wsss.data.images.rgb import to_rgb as to_rgb
