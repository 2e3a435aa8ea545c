from io import StringIO

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from wsss.cams.cam import CAM
from wsss.cams.core.method import CamMethod
from wsss.cams.core.needs import Need
from wsss.explain.method_catalogue import Entry, catalogue, method_names, method_table, parse_head
from wsss.settings.config_dir import config_dir


def without_weights(node):
    """The same settings with networks that download nothing."""
    for key, value in node.items():
        if key == "weights":
            node[key] = None
        elif isinstance(value, DictConfig):
            without_weights(value)
    return node


@pytest.fixture(scope="module")
def methods():
    """Every method by its name, as it is configured; networks of methods are empty."""
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        configs = {n: compose("run", [f"cam={n}"]).cam for n in method_names(config_dir())}
    with torch.device("meta"):
        return {name: instantiate(without_weights(one)) for name, one in configs.items()}


def test_every_method_of_the_configuration_is_one(methods):
    assert all(isinstance(method, CamMethod) for method in methods.values())
    assert type(methods["cam"]) is CAM


def test_heads_of_configurations_say_what_the_methods_say(methods):
    assert catalogue(config_dir()) == {
        name: Entry(
            method.provenance.paper,
            method.provenance.reconstructed,
            method.needs,
        )
        for name, method in methods.items()
    }


def test_couplings_and_networks_of_their_own_are_told_apart(methods):
    assert methods["ad_cam"].provenance.reconstructed
    for name, paper in (("transcam", "TransCAM"), ("attention_product", "TS-CAM")):
        assert paper in methods[name].provenance.paper
        assert not methods[name].provenance.reconstructed
    for name in ("ad_cam", "transcam", "attention_product"):  # Each brings a transformer along.
        assert methods[name].needs == {Need.LINEAR_HEAD}
        assert all(p.is_meta for p in methods[name].attention_network.parameters())


def test_methods_that_download_a_network_say_so():
    found = {name for name, entry in catalogue(config_dir()).items() if entry.downloads}
    assert found == {"ad_cam", "attention_product", "transcam"}
    console = Console(width=200, record=True, file=StringIO())
    console.print(method_table(catalogue(config_dir())))
    assert console.export_text().count("downloads the weights of deit_small_patch16_224") == 3


def test_a_head_ends_at_an_empty_line_or_a_setting():
    head = "# A, Title: of a\n# paper, 2020\n# Reconstruction: all\n# of it\n"
    head += "# Needs: graph,\n# inner layers\n"
    entry = Entry("A, Title: of a paper, 2020", "all of it", frozenset({"graph", "inner layers"}))
    assert parse_head(head + "#\n# Notes.\nkey: 1 # Needs: more\n") == entry
    assert parse_head(head + "key: 1\n# Needs: more\n") == entry
    assert parse_head("key: 1\n") == Entry("")


def test_all_methods_are_listed(explain):
    status, said = explain("--list")
    assert status == 0
    cells = [cell.strip() for cell in said.split("│")]
    for name, entry in catalogue(config_dir()).items():
        start = cells.index(name)
        needs = ", ".join(sorted(entry.needs)) or "any classifier"
        assert cells[start : start + 3] == [name, entry.paper, needs]
        below = cells[start + 3 : start + 7]
        assert (f"reconstruction: {entry.reconstructed}" in below) == bool(entry.reconstructed)
    assert "A reconstruction fills in what is not published" in said
