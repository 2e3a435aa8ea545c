"""What a tracked run holds, by each tracker's own reader, in the same words for all."""

import csv
import io
import json
import re
import shutil
import struct
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml


@dataclass
class Contents:
    """All that was read back of one tracked run."""

    config: dict = field(default_factory=dict)
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    """Step and value of everything that was told, in order; step 0 for single numbers."""
    pictures: set[str] = field(default_factory=set)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    confusions: dict[str, list[list[int]] | None] = field(default_factory=dict)
    """Counts by true and predicted label; None where there is a picture alone."""
    made_of: dict[str, list[str]] = field(default_factory=dict)
    """By an artefact's name."""
    uris: dict[str, str] = field(default_factory=dict)
    """By an artefact's name; none of what is drawn."""
    ids: set[str] = field(default_factory=set)


def wandb_records(path: Path) -> list:
    """All records of an offline run: protocol buffers in the log format of LevelDB.

    Blocks of 32 KiB hold chunks with a header of checksum, length and type (1 whole, 2 first,
    3 middle, 4 last); the file begins with seven bytes of its own. A last record that was cut when
    the run was killed is left out.
    """
    from wandb.proto import wandb_internal_pb2

    content, position = path.read_bytes(), 7
    assert content[:4] == b":W&B"
    found, pending = [], b""
    while position + 7 <= len(content):
        if 32768 - position % 32768 < 7:  # What is left of a block is too short for a header.
            position += 32768 - position % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", content, position)
        position += 7
        if position + length > len(content):
            break
        pending += content[position : position + length]
        position += length
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(pending)
            found.append(record)
            pending = b""
    return found


def ended_records(path: Path) -> list:
    """The records of a run that has ended, once W&B's own process has written the last."""
    deadline = time.monotonic() + 60
    while True:
        found = wandb_records(path)
        if any(record.HasField("exit") for record in found):
            return found
        assert time.monotonic() < deadline, f"{path} never ends"
        time.sleep(0.05)


def key_of(item) -> str:
    return item.key or "/".join(item.nested_key)


def read_wandb(work_dir: Path, killed: int = 0) -> Contents:
    """All runs, of which the first were killed, so that they have no end."""
    contents = Contents()
    for number, path in enumerate(sorted(work_dir.glob("wandb/offline-run-*/*.wandb"))):
        for record in wandb_records(path) if number < killed else ended_records(path):
            for item in (*record.config.update, *record.run.config.update):
                contents.config[key_of(item)] = json.loads(item.value_json)
            if record.HasField("run"):
                contents.ids.add(record.run.run_id)
            if record.HasField("artifact") and record.artifact.type != "run_table":
                artefact = record.artifact
                metadata = json.loads(artefact.metadata)
                contents.made_of[artefact.name] = metadata["made_of"]
                for entry in artefact.manifest.contents:
                    assert entry.ref == metadata["uri"] + "/manifest.json"
                    contents.uris[artefact.name] = metadata["uri"]
            if record.HasField("history"):
                row = defaultdict(dict)
                for item in record.history.item:
                    key = list(item.nested_key) or [item.key]
                    group, name = key if len(key) == 2 else ("", *key)
                    row[group][name] = json.loads(item.value_json)
                read_row(contents, path.parent / "files", row)
    return contents


def read_row(contents: Contents, files: Path, row: dict[str, dict]) -> None:
    step = row[""].get("trainer/global_step", 0)  # W&B fills in the last one where there is none.
    for name, value in row.pop("").items():
        contents.curves[name].append((step, value))
    for name, value in row.items():
        if value.get("_type") == "images/separated":
            assert all((files / path).is_file() for path in value["filenames"])
            contents.pictures |= {f"{name}/{caption}" for caption in value["captions"]}
        elif value.get("_type") == "table-file":
            table = json.loads((files / value["path"]).read_text())
            name = name.removesuffix("_table")
            if table["columns"][:2] != ["Actual", "Predicted"]:
                rows = [table["columns"], *table["data"]]
                contents.tables[name] = [["" if c is None else str(c) for c in r] for r in rows]
                continue
            names = list(dict.fromkeys(actual for actual, _, _ in table["data"]))
            counts = {name: [] for name in names}
            for actual, _, count in table["data"]:
                counts[actual].append(count)
            contents.confusions[name] = [counts[name] for name in names]


def read_tensorboard(work_dir: Path) -> Contents:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    contents = Contents()
    for folder in (work_dir / "tensorboard").iterdir():
        contents.ids.add(folder.name)
        log = EventAccumulator(str(folder), size_guidance=dict.fromkeys(("scalars", "tensors"), 0))
        log.Reload()
        tags = log.Tags()
        for name in tags["scalars"]:
            contents.curves[name] += [(event.step, event.value) for event in log.Scalars(name)]
        for name in tags["images"]:
            if "/confusion/" in name:
                contents.confusions[name] = None
            else:
                contents.pictures.add(name)
        for tag in tags["tensors"]:
            name = tag.removesuffix("/text_summary")
            (event,) = log.Tensors(tag)
            (text,) = (value.decode() for value in event.tensor_proto.string_val)
            read_text(contents, name, text)
    return contents


def read_text(contents: Contents, name: str, text: str) -> None:
    if name == "config":
        contents.config = yaml.safe_load(text.removeprefix("```yaml\n").removesuffix("```"))
    elif name.startswith("lineage/"):
        (artefact,) = re.findall(r"\*\*(.+)\*\*", text)
        contents.made_of[artefact] = re.findall(r"- made of: (\S+)", text)
        if uri := re.search(r"- at: `(file:\S+)`", text):
            contents.uris[artefact] = uri[1]
    else:
        head, _, *rows = ([c.strip() for c in r.strip("| ").split(" | ")] for r in text.split("\n"))
        contents.tables[name] = [head, *rows]


def read_mlflow(work_dir: Path) -> Contents:
    from mlflow.tracking import MlflowClient

    contents = Contents()
    client = MlflowClient(f"sqlite:///{work_dir}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'wsss'")
    for run in client.search_runs([experiment.experiment_id]):
        contents.ids.add(run.info.run_id)
        for name in run.data.metrics:
            history = client.get_metric_history(run.info.run_id, name)
            contents.curves[name] += [(one.step, one.value) for one in history]
        root = Path(run.info.artifact_uri.removeprefix("file://"))
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            read_file(contents, path.relative_to(root), path)
        for one in run.inputs.dataset_inputs:
            assert one.dataset.name
    return contents


def read_file(contents: Contents, name: Path, path: Path) -> None:
    key = name.with_suffix("").as_posix()
    if key == "config":
        contents.config = yaml.safe_load(path.read_text())
    elif key.startswith("lineage/"):
        artefact = json.loads(path.read_text())
        contents.made_of[artefact["name"]] = artefact["made_of"]
        contents.uris |= {artefact["name"]: artefact["uri"]} if artefact["uri"] else {}
    elif path.suffix == ".csv":
        rows = list(csv.reader(io.StringIO(path.read_text())))
        if "/confusion/" in key:
            contents.confusions[key] = [[int(cell) for cell in row[1:]] for row in rows[1:]]
        else:
            contents.tables[key] = rows
    elif "/confusion/" not in key:
        contents.pictures.add(key)


READERS = {"wandb": read_wandb, "tensorboard": read_tensorboard, "mlflow": read_mlflow}


@pytest.fixture(scope="session")
def alone() -> None:
    """Trackers that ask no server and say nothing."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_API_KEY", "WANDB_RUN_ID", "WANDB_SWEEP_ID"):
            patch.delenv(name, raising=False)
        for name, value in (
            ("WANDB_MODE", "offline"),
            ("WANDB_SILENT", "true"),
            ("MLFLOW_DISABLE_TELEMETRY", "true"),
            ("DO_NOT_TRACK", "true"),
        ):
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session", params=READERS)
def tracker(request, alone) -> str:
    """The name of a tracker that is installed."""
    pytest.importorskip(request.param, reason=f"{request.param} is an optional dependency")
    return request.param


@pytest.fixture(scope="session")
def read_back() -> Callable[..., Contents]:
    """Read all tracked runs in a work folder."""
    return lambda tracker, work_dir, **options: READERS[tracker](work_dir, **options)


@pytest.fixture(scope="session")
def prepare(tmp_path_factory, alone) -> Callable[[str, Path], None]:
    """Put an empty database into the work folder of a tracker that has one: making it is slow."""
    made: list[Path] = []

    def prepare_tracker(tracker: str, work_dir: Path) -> None:
        if tracker != "mlflow":
            return
        if not made:
            from mlflow.tracking import MlflowClient

            made.append(tmp_path_factory.mktemp("database") / "mlflow.db")
            MlflowClient(f"sqlite:///{made[0]}").search_experiments()
        shutil.copy(made[0], work_dir / "mlflow.db")

    return prepare_tracker


@pytest.fixture(scope="session")
def replayed(run, finished, tracker, prepare) -> SimpleNamespace:
    """A finished run that is tracked afterwards: its tracker, folder, outcomes."""
    work_dir = finished["classify"].folder.parents[1]
    prepare(tracker, work_dir)
    outcomes = run(work_dir, f"logger={tracker}")
    assert all(outcome.cached for outcome in outcomes.values())
    return SimpleNamespace(tracker=tracker, work_dir=work_dir, outcomes=outcomes)
