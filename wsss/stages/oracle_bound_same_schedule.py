"""The bound with the run's own schedule (oracle): see `oracle_bound`, which computes both."""

from wsss.stages.oracle_bound import INPUTS as INPUTS
from wsss.stages.oracle_bound import READS_MASKS as READS_MASKS
from wsss.stages.oracle_bound import SPLITS as SPLITS
from wsss.stages.oracle_bound import SWITCHES as SWITCHES
from wsss.stages.oracle_bound import VERSION as VERSION
from wsss.stages.oracle_bound import check as check
from wsss.stages.oracle_bound import in_use as in_use
from wsss.stages.oracle_bound import run as run

KEY_NUMBER = "bound_same_schedule_miou"
