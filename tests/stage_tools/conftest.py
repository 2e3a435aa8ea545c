import warnings

import pytest


@pytest.fixture(autouse=True)
def _lightning_may_advise():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
        yield
