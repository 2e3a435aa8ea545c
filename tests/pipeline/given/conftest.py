import pytest


@pytest.fixture
def pets(write_folder):
    images = {f"{name}{n}.jpg": [name] for n in range(4) for name in ("cat", "dog")}
    splits = {
        "train": [f"{name}{n}" for name in ("cat", "dog") for n in range(3)],
        "val": ["cat3", "dog3"],
    }
    return write_folder(images, masks=True, splits=splits, size=(48, 64))
