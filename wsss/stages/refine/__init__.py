from wsss.stages.refine.stage import INPUTS as INPUTS
from wsss.stages.refine.stage import KEY_NUMBER as KEY_NUMBER
from wsss.stages.refine.stage import READS_MASKS as READS_MASKS
from wsss.stages.refine.stage import SPLITS as SPLITS
from wsss.stages.refine.stage import VERSION as VERSION
from wsss.stages.refine.stage import check as check
from wsss.stages.refine.stage import run as run
