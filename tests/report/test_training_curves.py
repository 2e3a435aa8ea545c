from pathlib import Path

from wsss.report.training_curves import read_curves


def write_log(folder: Path, version: int, *lines: str) -> None:
    path = folder / "curves" / f"version_{version}" / "metrics.csv"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines))


def test_sparse_columns_become_curves_over_epochs(tmp_path: Path):
    write_log(
        tmp_path, 0,
        "epoch,step,classify/train_loss,classify/val_map",
        "0,9,,0.5", "0,9,1.0,", "1,19,,0.6", "1,19,0.8,",
    )  # fmt: skip
    curves = {curve.name: curve for curve in read_curves(tmp_path)}
    assert curves["train_loss"].points == ((1, 1.0), (2, 0.8))
    assert curves["val_map"].points == ((1, 0.5), (2, 0.6))
    assert curves["val_map"].axis == "epoch"


def test_several_values_an_epoch_are_drawn_over_steps(tmp_path: Path):
    write_log(tmp_path, 0, "epoch,step,train_loss", "0,4,3", "0,9,2", "1,14,1")
    (curve,) = read_curves(tmp_path)
    assert (curve.axis, curve.points) == ("step", ((4, 3.0), (9, 2.0), (14, 1.0)))


def test_a_later_version_replaces_everything_from_its_first_step(tmp_path: Path):
    write_log(tmp_path, 2, "epoch,step,train_loss", "1,19,20", "2,29,21")
    write_log(tmp_path, 10, "epoch,step,train_loss", "2,29,30")
    write_log(tmp_path, 0, "epoch,step,train_loss", "0,9,1", "1,19,2", "2,25,3", "3,39,4")
    (curve,) = read_curves(tmp_path)
    assert curve.points == ((1, 1.0), (2, 20.0), (3, 30.0))


def test_what_is_no_number_is_passed_over(tmp_path: Path):
    write_log(tmp_path, 0, "epoch,step,loss,note", "0,1,nan,x", "1,2,inf,", "2,,5,", "3,4,6,")
    write_log(tmp_path, 1, "")
    (curve,) = read_curves(tmp_path)
    assert curve.points == ((4, 6.0),)


def test_a_log_without_epochs_counts_steps(tmp_path: Path):
    write_log(tmp_path, 0, "step,loss", "7,0.5")
    (curve,) = read_curves(tmp_path)
    assert (curve.axis, curve.points) == ("step", ((7, 0.5),))


def test_no_log_no_curves(tmp_path: Path):
    assert read_curves(tmp_path) == ()
