from wsss.data.sources.coco.coco import Coco as Coco
