"""The files of a run: fingerprints, manifests, seeds and label masks.

The formats are stable: other code bases read them without `wsss`. Every file is written under a
temporary name and renamed, so that a file that exists is complete.
"""

from wsss.artifacts.checksums import as_written as as_written
from wsss.artifacts.checksums import changed_files as changed_files
from wsss.artifacts.checksums import write_checksums as write_checksums
from wsss.artifacts.digests import file_digest as file_digest
from wsss.artifacts.digests import fingerprint as fingerprint
from wsss.artifacts.digests import fingerprint_of_rows as fingerprint_of_rows
from wsss.artifacts.json_files import read_json as read_json
from wsss.artifacts.json_files import write_json as write_json
from wsss.artifacts.json_files import write_json_rows as write_json_rows
from wsss.artifacts.label_masks import LabelStore as LabelStore
from wsss.artifacts.label_masks import voc_palette as voc_palette
from wsss.artifacts.manifest import INPUTS as INPUTS
from wsss.artifacts.manifest import MANIFEST as MANIFEST
from wsss.artifacts.manifest import METRICS as METRICS
from wsss.artifacts.manifest import SAW_MASKS as SAW_MASKS
from wsss.artifacts.manifest import Manifest as Manifest
from wsss.artifacts.manifest import mark_of as mark_of
from wsss.artifacts.proposals import Proposals as Proposals
from wsss.artifacts.proposals import ProposalStore as ProposalStore
from wsss.artifacts.run_record import RECORD as RECORD
from wsss.artifacts.run_record import RunRecord as RunRecord
from wsss.artifacts.seeds import SEED_STAGES as SEED_STAGES
from wsss.artifacts.seeds import SEED_STRIDE as SEED_STRIDE
from wsss.artifacts.seeds import Seeds as Seeds
from wsss.artifacts.seeds import SeedStore as SeedStore
from wsss.artifacts.seeds import seed_size as seed_size
from wsss.artifacts.statistics import StatisticsStore as StatisticsStore
from wsss.artifacts.whole_files import atomic as atomic
from wsss.artifacts.whole_files import opened as opened
from wsss.artifacts.whole_files import remove_unfinished as remove_unfinished
