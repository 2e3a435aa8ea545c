import json
import struct
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb.proto import wandb_internal_pb2


def records(path: Path) -> list[wandb_internal_pb2.Record]:
    """All records of an offline run: protocol buffers in the log format of LevelDB.

    Blocks of 32 KiB hold chunks with a header of checksum, length and type (1 whole, 2 first,
    3 middle, 4 last); the file begins with seven bytes of its own.
    """
    content, position = path.read_bytes(), 7
    assert content[:4] == b":W&B"
    found, pending = [], b""
    while position + 7 <= len(content):
        if 32768 - position % 32768 < 7:  # What is left of a block is too short for a header.
            position += 32768 - position % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", content, position)
        position += 7
        pending += content[position : position + length]
        position += length
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(pending)
            found.append(record)
            pending = b""
    return found


@pytest.fixture
def offline_wandb(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)


@pytest.mark.slow
def test_one_offline_run_holds_everything(command, offline_wandb, tmp_path):
    done = command(tmp_path, "logger=wandb")
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.rglob("*.wandb")
    found = records(path)
    config = {
        (item.key or "/".join(item.nested_key)): json.loads(item.value_json)
        for record in found
        for item in (*record.config.update, *record.run.config.update)
    }
    assert config["segment"]["max_epochs"] == 2
    assert config["data"]["num_train"] == 9
    history: dict[str, list[str]] = {}
    for record in found:
        for item in record.history.item if record.HasField("history") else ():
            key = item.key or "/".join(item.nested_key)
            history.setdefault(key, []).append(item.value_json)
    assert len(set(history["classify/train_loss"])) == 4
    assert len(set(history["segment/train_loss"])) == 2
    assert any(key.startswith("evaluate/pseudo_masks/iou/") for key in history)
    assert any(key.startswith("evaluate/oracle/seeds_oracle/iou/") for key in history)
    assert int(history["gallery/count"][0]) >= 3
    pictures = json.loads(history["gallery/filenames"][0])
    assert all((path.parent / "files" / picture).is_file() for picture in pictures)
    assert len({record.run.run_id for record in found if record.HasField("run")}) == 1


def test_tensorboard_gets_curves_scores_and_pictures(run, finished, tmp_path):
    work_dir = finished["classify"].folder.parents[1]
    run(work_dir, "logger=tensorboard", f"logger.tensorboard.save_dir={tmp_path}")
    (events,) = tmp_path.rglob("events.out.tfevents.*")
    log = EventAccumulator(str(events))
    log.Reload()
    tags = log.Tags()
    # Every stage was cached: its curves come from the files it left.
    assert {"classify/train_loss", "segment/train_loss"} <= set(tags["scalars"])
    assert "evaluate/segmenter_miou" in tags["scalars"]
    assert any(tag.startswith("gallery/") for tag in tags["images"])
