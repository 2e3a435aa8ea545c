"""The data check of runs that start at the same time."""

from threading import Event, Thread

from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.pipeline import data_check


def test_of_two_runs_one_inspects_and_the_other_waits(tmp_path, monkeypatch):
    source = Synthetic(num_train=3, num_val=1, size_px=64)
    folder = tmp_path / "check" / "0a1b"
    seen, begun, go_on = [], Event(), Event()
    inspect_item = data_check.inspect_item

    def noted(source, item):
        seen.append(item.id)
        begun.set()
        assert go_on.wait(60)
        return inspect_item(source, item)

    monkeypatch.setattr(data_check, "inspect_item", noted)
    runs = [Thread(target=data_check.inspect, args=(source, folder, 0)) for _ in range(2)]
    runs[0].start()
    assert begun.wait(60)
    runs[1].start()
    runs[1].join(0.3)
    go_on.set()
    for run in runs:
        run.join()
    assert sorted(seen) == ["train_0000", "train_0001", "train_0002", "val_0000"]
    assert len(data_check.report(source, folder, 0.01).sizes) == 4
