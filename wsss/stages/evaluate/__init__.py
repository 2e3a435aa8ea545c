from wsss.stages.evaluate.stage import INPUTS as INPUTS
from wsss.stages.evaluate.stage import KEY_NUMBER as KEY_NUMBER
from wsss.stages.evaluate.stage import OPTIONAL_INPUTS as OPTIONAL_INPUTS
from wsss.stages.evaluate.stage import READS_MASKS as READS_MASKS
from wsss.stages.evaluate.stage import SPLITS as SPLITS
from wsss.stages.evaluate.stage import VERSION as VERSION
from wsss.stages.evaluate.stage import check as check
from wsss.stages.evaluate.stage import run as run
