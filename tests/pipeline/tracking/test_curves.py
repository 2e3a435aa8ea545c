import pytest
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.logger import DummyLogger

from wsss.pipeline.tracking.curves import LiveCurves, curve_points


class Noted(DummyLogger):
    def __init__(self):
        super().__init__()
        self.told, self.saved = [], 0

    def log_metrics(self, metrics, step=None):
        self.told.append((step, dict(metrics)))

    def save(self):
        self.saved += 1

    def finalize(self, status):
        raise AssertionError("the end of a training closed the run's logger")


@pytest.fixture
def attempts(tmp_path):
    """Two attempts: the second one goes on from a checkpoint after step 1."""
    for steps in ((0, 1, 2), (2, 3)):
        logger = CSVLogger(tmp_path, name="curves")
        for step in steps:
            logger.log_metrics({"segment/train_loss": 10.0 - step, "epoch": step}, step)
            if step == 2:
                logger.log_metrics({"segment/pseudo_miou": 0.5, "epoch": step}, step)
        logger.save()
    return tmp_path


def test_points_of_all_attempts_are_there_once(attempts):
    points = curve_points(attempts)
    assert list(points) == [0, 1, 2, 3]
    assert [one["segment/train_loss"] for one in points.values()] == [10, 9, 8, 7]
    assert points[2]["segment/pseudo_miou"] == 0.5
    assert curve_points(attempts / "none") == {}


def test_of_rounds_the_points_are_those_of_the_last(attempts, tmp_path):
    for number in (9, 10):
        logger = CSVLogger(tmp_path / f"round_{number}", name="curves")
        logger.log_metrics({"segment/train_loss": 100.0 * number, "epoch": 0}, 5)
        logger.save()
    assert curve_points(tmp_path) == {5: {"segment/train_loss": 1000.0, "epoch": 0.0}}


def test_live_values_that_an_earlier_attempt_told_are_not_told_again(attempts):
    logger, begun = Noted(), []
    live = LiveCurves(logger, curve_points(attempts), begun.append)
    assert begun == []
    for step in (3, 4):
        live.log_metrics({"segment/train_loss": 10.0 - step, "epoch": step}, step)
        live.save()
    live.log_metrics({"segment/pseudo_miou": 0.25, "epoch": 3}, 3)
    assert begun == [curve_points(attempts)]
    assert logger.told == [
        (4, {"segment/train_loss": 6.0, "epoch": 4}),
        (3, {"segment/pseudo_miou": 0.25}),
    ]
    assert logger.saved == 2
    live.finalize("success")
