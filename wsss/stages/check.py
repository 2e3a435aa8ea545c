"""Read the whole data set once, before hours are spent on it."""

from wsss.artifacts import read_json, write_json
from wsss.data.check import DataReport, Inspection, inspect_item, summarise
from wsss.data.sample import Item
from wsss.data.source import SPLITS as ALL_SPLITS
from wsss.stages.context import Context
from wsss.stages.items import process_items
from wsss.stages.progress import track
