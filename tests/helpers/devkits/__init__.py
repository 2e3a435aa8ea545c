from devkits.coco14 import CATEGORIES as CATEGORIES
from devkits.coco14 import box as box
from devkits.coco14 import write_coco14 as write_coco14
from devkits.pictures import picture as picture
from devkits.voc12 import write_voc12 as write_voc12
