import copy

import numpy as np
import pytest
import torch
from cam_benchmark.averages import Faithfulness
from torch import nn

from wsss.artifacts import Manifest
from wsss.cams.cam import CAM
from wsss.cams.meng import Meng
from wsss.data.pyramids import Scales
from wsss.data.sources.folder.folder import Folder
from wsss.errors import WsssError
from wsss.explain.faithfulness_protocol import Protocol, judge, labelled_classes
from wsss.models import LinearHead, PairHeads, SplitClassifier, TimmBackbone
from wsss.models.normalisation import Normalisation
from wsss.models.saved_networks import save_classifier, save_pair_heads

CPU = torch.device("cpu")


class Features(nn.Module):
    def __init__(self):
        super().__init__()
        self.normalise = Normalisation([0.5] * 3, [0.25] * 3)
        self.layers = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 5, 3, 2, 1))

    def forward(self, images):
        return self.layers(self.normalise(images)).relu()


@pytest.fixture
def model():
    torch.manual_seed(0)
    return SplitClassifier(Features(), LinearHead(5, 2)).eval()


def test_every_round_runs_every_call_in_an_order_of_its_own():
    from cam_benchmark.timing import measure

    ran = []
    calls = {name: lambda name=name: ran.append(name) for name in "abc"}
    seconds = measure(calls, rounds=20, warm_up=2, device=CPU)
    rounds = [tuple(ran[start : start + 3]) for start in range(0, 66, 3)]
    assert all(sorted(one) == ["a", "b", "c"] for one in rounds)
    assert len(set(rounds)) > 3
    assert all(len(values) == 20 and min(values) > 0 for values in seconds.values())


def test_spread_is_median_and_quartiles():
    from cam_benchmark.timing import spread

    values = [5.0, 1.0, 2.0, 9.0, 4.0, 7.0]
    low, median, high = np.percentile(values, [25, 50, 75])
    assert spread(values) == pytest.approx({"median": median, "q1": low, "q3": high})
    assert spread([3.0]) == {"median": 3, "q1": 3, "q3": 3}


def test_methods_are_those_of_the_configuration():
    from cam_benchmark.contestants import make_method, method_names

    assert "cam" in method_names()
    assert isinstance(make_method("cam", [], CPU), CAM)


def test_timings_ask_no_hub(offline):
    from cam_benchmark.contestants import make_method, method_names

    networks = []
    for name in method_names():
        first, again = (make_method(name, [], CPU, trained=False) for _ in range(2))
        for part, same in zip(vars(first).values(), vars(again).values(), strict=True):
            if isinstance(part, nn.Module):
                networks.append(name)
                one, other = part.state_dict(), same.state_dict()
                assert all(torch.equal(one[key], other[key]) for key in one)
    assert {"ad_cam", "attention_product", "transcam"} <= {*networks}
    assert not offline
    with pytest.raises(WsssError, match=r"^cam.attention_network.weights=hub: .*deit_small"):
        make_method("ad_cam", [], CPU)
    assert offline


def test_classes_of_an_image_differ(model):
    from cam_benchmark.contestants import make_inputs

    images, classes = make_inputs(model, 4, 32, 3, CPU)
    assert images.shape == (4, 3, 32, 32)
    assert [sorted(row) for row in classes.tolist()] == [[0, 1]] * 4


def test_other_libraries_give_the_same_maps(model):
    from cam_benchmark.contestants import make_inputs
    from cam_benchmark.timing import FORWARD, time_methods

    images, classes = make_inputs(model, 2, 32, 2, CPU)
    before = [parameter.clone() for parameter in model.parameters()]
    rows = time_methods(model, {"cam": CAM()}, images, classes, rounds=2, warm_up=0)
    assert rows["cam"]["references"]["torchcam"]["max_difference"] < 1e-5
    assert rows["cam"]["speed_up"] > 0
    assert rows["cam"]["times_forward"]["median"] > 0
    assert set(rows) == {FORWARD, "cam"}
    for parameter, value in zip(model.parameters(), before, strict=True):
        assert parameter.grad is None
        assert torch.equal(parameter, value)


@pytest.mark.parametrize("index", range(3))
def test_gradient_libraries_agree_with_the_formula(model, index):
    from cam_benchmark.contestants import make_inputs
    from cam_benchmark.references import REFERENCES, finished

    reference = REFERENCES["GradCAM"][index]
    images, classes = make_inputs(model, 2, 32, 2, CPU)
    model, images = copy.deepcopy(model).double(), images.double()
    found = reference.maps(model, images, classes).double()
    expected = finished(CAM()(model, images, classes), (32, 32), rectify=True)
    # One of them rounds its maps, which are in [0, 1], to single precision.
    rounding = 16 * torch.finfo(torch.float32).eps
    torch.testing.assert_close(found, expected, rtol=0, atol=rounding)


def test_rows_hold_faithfulness_and_stamp_what_looked_at_masks(model, write_folder):
    from cam_benchmark.quality import faithfulness_row

    source = Folder(write_folder(masks=True, size=(32, 32)))
    items = source.items("train")
    protocol = Protocol(labelled_classes, step=256)
    row = faithfulness_row(model, CAM(), source, items, protocol, Scales((1.0,)), 0.3, size_px=32)
    metric = Faithfulness()
    for item in items:
        image = torch.from_numpy(source.read_image(item)).permute(2, 0, 1)[None].float() / 255
        tags = torch.from_numpy(source.tags(item))[None]
        metric.update(judge(model, CAM(), image, tags, protocol))
    ends = row["faithfulness"].pop("intervals")
    assert row["faithfulness"] == pytest.approx(metric.compute(), rel=1e-4)
    assert set(ends) == set(row["faithfulness"]) - {"num_pairs", "num_excluded"}
    assert all(low <= row["faithfulness"][name] <= high for name, (low, high) in ends.items())
    assert {*row["seeds"]["intervals"]} == {"best_miou", "miou"}
    assert row["localisation"]["oracle"]
    assert row["seeds"]["oracle"]
    assert row["seeds"]["miou"] <= row["seeds"]["best_miou"] + 1e-9
    assert row["seeds"]["threshold"] == 0.3
    assert all(0 <= row["localisation"][name] <= 1 for name in ("pointing", "energy", "px_ap"))


def test_without_masks_only_faithfulness_is_measured(model, write_folder):
    from cam_benchmark.quality import faithfulness_row

    source = Folder(write_folder(size=(32, 32)))
    protocol = Protocol(labelled_classes, curves=False)
    items = source.items("train")[:2]
    row = faithfulness_row(model, CAM(), source, items, protocol, Scales((1.0,)), 0.3, 32)
    assert set(row) == {"images", "faithfulness"}
    assert "deletion" not in row["faithfulness"]


def test_seeds_that_are_the_masks_score_full_marks():
    from cam_benchmark.quality import Localisation

    target = np.zeros((40, 50), dtype=np.uint8)
    target[5:20, 10:30] = 1
    target[30:35, 40:48] = 2
    maps = np.stack([target == 1, target == 2]).astype(np.float32)
    scores = Localisation(2, seed_threshold=0.5)
    scores.update(maps, (1, 2), target)
    row = scores.compute()
    assert row["seeds"]["best_miou"] == row["seeds"]["miou"] == 1
    expected = dict.fromkeys(("pointing", "energy", "px_ap", "max_box_acc", "max_box_acc_v2"), 1)
    assert row["localisation"] == {"oracle": True, "intervals": {}} | expected


def test_the_classifier_of_a_run_is_found(tmp_path):
    from cam_benchmark.quality import classifier_for

    with pytest.raises(WsssError, match="no finished classifier"):
        classifier_for(CAM(), tmp_path)
    trained = SplitClassifier.linear(TimmBackbone("resnet18"), 2)
    for stage, fingerprint, finished in (
        ("reactivate", "c", True),
        ("classify", "a", True),
        ("classify", "b", False),
    ):
        folder = tmp_path / stage / fingerprint
        save_classifier(folder, trained, (f"{stage}-{fingerprint}", "other"))
        if finished:
            Manifest(stage, fingerprint, {}, {}, {}).write(folder)
    _, names = classifier_for(CAM(), tmp_path)
    assert names[0] == "classify-a"


def test_pair_heads_of_a_run_are_found_with_the_classifier_they_were_trained_on(tmp_path):
    from cam_benchmark.contestants import make_model
    from cam_benchmark.quality import classifier_for

    trained = SplitClassifier.linear(TimmBackbone("resnet18"), 2)
    for fingerprint in ("old", "new"):
        folder = tmp_path / "classify" / fingerprint
        save_classifier(folder, trained, (fingerprint, "other"))
        Manifest("classify", fingerprint, {}, {}).write(folder)
    with pytest.raises(WsssError, match="representative opponents"):
        classifier_for(Meng(), tmp_path)
    heads = PairHeads(torch.tensor([0, 1]), torch.tensor([1, 0]), 2, 512)
    folder = tmp_path / "oppose" / "c"
    save_pair_heads(folder, heads, ("old", "other"))
    Manifest("oppose", "c", {}, {}, {"inputs": {"classify": "old"}}).write(folder)
    model, names = classifier_for(Meng(), tmp_path)
    assert names[0] == "old"
    assert torch.equal(model.pair_heads.weight, heads.weight)
    assert make_model(str(folder), 2, CPU).pair_heads is not None


def test_tables_show_costs_references_and_refusals():
    from cam_benchmark.tables import markdown

    values = {"median": 1.5, "q1": 1.0, "q3": 2.0}
    result = {
        "environment": {
            "device": "CPU",
            "threads": 2,
            "commit": "abc",
            "date": "today",
            "versions": {"torch": "2"},
        },
        "settings": {
            "size_px": 224,
            "batch_size": 8,
            "present": 3,
            "rounds": 5,
            "memory_size_px": 512,
        },
        "models": {
            "net": {
                "forward pass": {"seconds": values},
                "cam": {
                    "seconds": values,
                    "times_forward": values,
                    "memory_mb": {"peak": 700.4, "above_model": 80.0},
                    "references": {"torchcam": {"max_difference": 2e-7, "times_ours": values}},
                },
                "vscam": {"refused": "no | graph"},
            }
        },
        "data": {
            "source": "pets",
            "split": "val",
            "images": 3,
            "methods": {
                "cam": {"faithfulness": {"average_drop": 12.345}, "seeds": {"miou": 0.5}},
                "random_map": {
                    "faithfulness": {"average_drop": 1.0, "intervals": {"average_drop": (0, 2.5)}},
                },
                "vscam": {"refused": "no graph"},
            },
        },
    }
    text = markdown(result)
    assert (
        "| cam | 1500 ms | 1.50 (1.00–2.00) | 700 | 80 | torchcam: 2e-07 "
        "| torchcam: 1.50 (1.00–2.00) |" in text
    )
    assert "| vscam | no \\| graph |" in text
    assert "| cam | 12.35 |" in text
    assert "| random_map | 1.00 (0.00–2.50) |" in text
    tables = [block.splitlines()[2:] for block in text.split("### ")[1:]]
    for lines in tables:
        bars = {line.replace("\\|", "").count("|") for line in lines if line.startswith("|")}
        assert len(bars) == 1
