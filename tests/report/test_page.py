import itertools
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from wsss.artifacts import Manifest, Seeds
from wsss.report.audit_findings import AuditFinding, AuditFindings, AuditKind
from wsss.report.co_occurrence import TagPair
from wsss.report.header import header, sentence
from wsss.report.layers import budget, encode_layers
from wsss.report.object_sizes import SizeBin
from wsss.report.page import render
from wsss.report.panels import Evidence
from wsss.report.read_scores import Scores, Subject
from wsss.report.results import DoubtfulImage, Gallery, Results
from wsss.report.sections import SECTIONS, all_sections
from wsss.report.sections.classes import classes
from wsss.report.training_curves import Curve

VOID_ELEMENTS = {"meta", "img", "link", "br", "hr", "input"}
EVIL = '<script>alert("x")</script>'


class Page(HTMLParser):
    """Reads a page and asserts that it is well-formed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID_ELEMENTS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


def subject(name: str, miou: float | None, classes: int = 2, **more) -> Subject:
    iou = tuple(miou for _ in range(classes + 1))
    defaults = {"label": name, "split": "train", "oracle": False, "num_images": 9}
    return Subject(**{"name": name, "miou": miou, "per_class_iou": iou, **defaults, **more})


def manifest(stage: str, **more) -> Manifest:
    defaults = {"config": {"lr": 0.125}, "numbers": {"images": 9.0}}
    return Manifest(**{"stage": stage, "fingerprint": f"{stage}0123", **defaults, **more})


def entry(item_id: str, tags: tuple[int, ...], score: float | None) -> dict:
    picture = np.zeros((4, 6, 3), dtype=np.uint8)
    mask = np.array([[0, 1, 255]], dtype=np.uint8).repeat(4, 0).repeat(2, 1)
    layers = encode_layers(Evidence(picture, pseudo_mask=mask, truth=mask), budget(1))
    own = {"id": item_id, "split": "train", "tags": tags, "doubt": 0.4, "parts": {}}
    return {**own, "score": score, **layers}


AUDITED = AuditKind(
    "1 tag without visual evidence",
    40,
    1,
    "Ranked by doubt.",
    (AuditFinding("a.jpg · cat", "Look at `a.jpg`."),),
)


def results(*class_names: str) -> Results:
    """Something for every section."""
    subjects = (
        subject("seeds_oracle", 0.412, len(class_names), oracle=True, threshold=0.25),
        subject("seeds", 0.4, len(class_names), threshold=0.3),
        subject("pseudo_masks", 0.552, len(class_names), coverage=0.97, covered_miou=0.57),
        subject("segmenter", 0.581, len(class_names), split="val"),
    )
    return Results(
        data_set="pets",
        class_names=class_names,
        manifests={
            "classify": manifest("classify", numbers={"val_map": 0.905}),
            "refine": manifest("refine", failures={"broken one": "it is truncated"}),
            "evaluate": manifest("evaluate", finished_at="2026-11-24T01:02:03+00:00"),
        },
        scores=Scores(subjects, {"seeds": ((0.1, 0.3), (0.25, 0.412), (0.5, 0.35))}),
        curves={"classify": (Curve("train_loss", "epoch", ((1, 0.5), (2, 0.25))),)},
        confusions={"segmenter": np.eye(len(class_names) + 1, len(class_names) + 2, 1, dtype=int)},
        shares={"pseudo_masks": (1.0, *(0.0 for _ in class_names))},
        tagged=tuple(9 for _ in class_names),
        pairs=(TagPair(1, 1, 9, 0.95, 0.5, 0.2),),
        sizes={"pseudo_masks": (SizeBin("1–4 %", 7, 0.25),)},
        images=(DoubtfulImage("train", "cats/1", 0.4, {"lost_tags": 0.4}, 0.9),),
        gallery=Gallery((entry("cats/1", (1,), 0.9),), 1),
        audit=AuditFindings("../../audit/x/index.html", 9, (AUDITED,)),
    )


def page(data: Results) -> Page:
    return Page(render(header(data), all_sections(data)))


def test_a_full_page_says_everything():
    full = page(results("cat", "dog"))
    for expected in (
        "55.2", "58.1", "covers 97.0 % of pixels", "mIoU 57.0 where it does", "threshold 0.25",
        "90.5", "cats/1", "broken one", "it is truncated", '"lr": 0.125', "void",
        "24 November 2026, 01:02 UTC", "best 0.25: 41.2 · default 0.3: 40.0", "0.5 → 0.25",
        "tags that the pseudo mask would not show (40 %)", "7 25.0", "flags 1 finding",
    ):  # fmt: skip
        assert expected in full.words
    assert len(all_sections(results("cat", "dog"))) == len(SECTIONS)


def test_only_what_used_masks_wears_the_badge():
    badges = page(results("cat")).values("class").count("badge oracle")
    assert badges == 5  # Bar, column of the table, sections on thresholds, confusions and sizes.
    data = results("cat")
    honest = Scores(tuple(s for s in data.scores.subjects if not s.oracle))
    honest_page = page(replace(data, scores=honest, confusions={}, sizes={}))
    assert "badge oracle" not in honest_page.values("class")
    assert "They chose no setting" in honest_page.words


def with_bound(data: Results) -> Results:
    """The results with a bound of which the segmenter reaches 80 %."""
    bound = subject("bound", 0.75, len(data.class_names), split="val", oracle=True)
    numbers = {"evaluate": {"segmenter_miou": 0.599}, "oracle_bound": {"bound_miou": 0.75}}
    manifests = {
        stage: manifest(stage, numbers=one, wall_time_s=100.0) for stage, one in numbers.items()
    }
    curves = {"oracle_bound": (Curve("mask_miou", "epoch", ((1, 0.5), (2, 0.7))),)}
    return replace(
        data,
        manifests={**data.manifests, **manifests},
        scores=replace(data.scores, subjects=(*data.scores.subjects, bound)),
        curves={**data.curves, **curves},
    )


def test_weak_over_bound_is_told_and_all_of_the_bound_wears_the_badge():
    data = with_bound(results("cat", "dog"))
    said = page(data).words
    for text in (
        "79.9 % weak/bound, the best score of each oracle",  # The tile.
        "weak/bound 79.9 % : weak labels reach 59.9",
        "They also chose a setting of “seeds_oracle”, marked oracle",
        "The bound learnt from these masks",
        "bound, val oracle",  # The column of classes.
        "Bound: segmenter on true masks oracle",  # The curves.
        "no ground truth enters here, but for the bound, which learns from it.",
        "no training saw it, but that of the bound.",
        "computing time of all stages, without the bound",
    ):
        assert text in said, text
    badges = [
        page(one).values("class").count("badge oracle") for one in (results("cat", "dog"), data)
    ]
    # Tile, bar, column, and curves.
    assert badges[1] - badges[0] == 4
    own = [tile for tile in header(data).tiles if "computing" in tile.caption]
    assert [(tile.value, tile.unit) for tile in own] == [("1", "min 40 s")]


def test_without_a_bound_none_is_spoken_of():
    said = page(results("cat", "dog")).words
    assert "bound, which" not in said
    assert "weak/bound" not in said


def test_an_oracle_result_is_named_in_the_summary():
    data = results("cat")
    scores = Scores((subject("pseudo_masks", 0.5, oracle=True),))
    assert "(9 train images, oracle)" in sentence(replace(data, scores=scores))


def test_nothing_is_loaded_from_elsewhere():
    full = page(results("cat", "dog"))
    assert full.values("src") == []  # The gallery's script makes pictures of its data.
    audit = "../../audit/x/index.html"  # The page of the audit, to which a person may go.
    assert all(value.startswith("#") or value == audit for value in full.values("href"))
    html = render(header(results("cat")), all_sections(results("cat")))
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert "link" not in full.tags


def test_anchors_lead_somewhere():
    full = page(replace(results("cat", "dog"), audit=None))
    ids = full.values("id")
    assert len(ids) == len(set(ids))
    images = {"#image=train/cats/1"}  # The script enlarges it.
    assert {value.removeprefix("#") for value in {*full.values("href")} - images} <= set(ids)
    assert set(full.values("aria-labelledby")) <= set(ids)


def test_every_drawing_is_described():
    full = page(results("cat"))
    drawings = [v for tag, name, v in full.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(drawings) == full.tags.count("svg") == 2


def test_names_from_data_are_escaped():
    data = results(EVIL, "\"&amp;'")
    evil = replace(
        data,
        data_set=EVIL,
        manifests={EVIL: manifest(EVIL, failures={EVIL: EVIL}, config={EVIL: EVIL})},
        curves={EVIL: (Curve(EVIL, "step", ((1, 0.5),)),)},
        images=(DoubtfulImage(EVIL, f'" onload={EVIL}', 0.5, {EVIL: 1.0}),),
        gallery=Gallery((entry(f'" onload={EVIL}</script>', (1,), None),), 1),
        audit=AuditFindings(
            f'" onload={EVIL}',
            9,
            (AuditKind(EVIL, 9, 1, EVIL, (AuditFinding(EVIL, EVIL),)),),
        ),
    )
    html = render(header(evil, EVIL), all_sections(evil))
    assert html.count("<script>") == 1
    read = Page(html)
    assert not read.values("onload")
    assert EVIL in read.words
    assert "\"&amp;'" in read.words


@pytest.mark.parametrize(
    "names", [("one",), tuple(f"class {n}" for n in range(80)), ("Ünïcode 猫", "קטן", "a" * 300)]
)
def test_any_class_names(names: tuple[str, ...]):
    full = page(results(*names))
    assert all(name in full.words for name in names)
    assert "background" in full.words


def test_a_class_that_occurs_nowhere_has_a_dash_and_comes_last():
    data = results("cat", "dog")
    scores = Scores((subject("segmenter", 0.5, split="val", per_class_iou=(0.2, None, 0.9)),))
    section = classes(replace(data, scores=scores))
    assert section is not None
    assert [line.name for line in section.data["rows"]] == ["dog", "background", "cat"]
    assert "—" in page(replace(data, scores=scores)).words


@pytest.mark.parametrize(
    ("left_out", "gone"),
    [
        ({"scores": Scores()}, {"classes", "threshold"}),
        ({"curves": {}}, {"training"}),
        ({"gallery": Gallery()}, {"gallery"}),
        ({"images": ()}, {"doubtful"}),
        ({"pairs": ()}, {"together"}),
        ({"shares": {}}, {"coverage"}),
        ({"sizes": {}}, {"sizes"}),
        ({"confusions": {}}, {"confusion"}),
        ({"manifests": {}}, {"next_steps", "audit", "stages", "failures", "settings"}),
    ],
)
def test_stages_that_did_not_run_are_missing(left_out: dict, gone: set[str]):
    full = {section.name for section in all_sections(results("cat"))}
    less = replace(results("cat"), **left_out)
    assert full - {section.name for section in all_sections(less)} == gone
    page(less)


def test_nothing_at_all_is_a_page():
    assert "No stage has finished yet" in page(Results("pets", ())).words


def test_without_ground_truth_nothing_is_claimed():
    data = replace(results("cat"), scores=Scores())
    assert "no ground truth" in sentence(data)
    assert "%" not in sentence(data)


def test_parts_come_in_the_order_of_their_questions():
    full = page(results("cat", "dog"))
    asked = ["Did it work?", "Where does it fail?", "What to do next?", "Show me", "What ran?"]
    places = [full.text.index(one) for one in asked]
    assert places == sorted(places)
    sections = all_sections(results("cat"))
    titles = [one.part.title for one in sections]
    assert [*dict.fromkeys(titles)] == asked == [t for t, _ in itertools.groupby(titles)]


def test_a_sample_is_told():
    data = results("cat")
    assert "The page shows" not in page(data).words
    sampled = replace(data, gallery=replace(data.gallery, images=2_000))
    assert "The page shows 1 of 2,000 images: half of them are the most doubtful" in (
        page(sampled).words
    )


def test_the_findings_of_an_audit_stand_in_place_of_how_to_get_one():
    said = page(results("cat"))
    for text in ("flags 1 finding", "1 tag without visual evidence", "a.jpg · cat", "Look at"):
        assert text in said.words
    assert "../../audit/x/index.html" in said.values("href")
    assert "has not been audited" not in said.words
    without = page(replace(results("cat"), audit=None))
    assert "has not been audited" in without.words
    assert "wsss audit runs/logs/…" in without.words


def test_the_table_of_stages_tells_what_computed_them_and_how():
    """A GPU has columns where there was one."""
    cpu = {"devices": ["cpu"], "slowest": "images", "waits_s": {"images": 12.3, "network": 1.0}}
    gpu = {
        "devices": ["cpu", "NVIDIA H100"],
        "slowest": "network",
        "waits_s": {"network": 90.0},
        "basis": {"precision": "bf16-mixed", "tf32": True},
        "peak_gpu_memory_mb": 2048.0,
        "gpu_utilisation": 0.62,
        "halvings": 2,
        "nondeterministic": ["put_", "kthvalue CUDA"],
    }
    made = results("cat", "dog")
    for manifests, there in (
        ({"classify": manifest("classify", **cpu)}, False),
        ({"classify": manifest("classify", **cpu), "segment": manifest("segment", **gpu)}, True),
    ):
        words = page(replace(made, manifests=manifests)).words
        assert "images, 12 s" in words
        for text in (
            "GPU busy", "network, 1 min 30 s", "cpu, NVIDIA H100, bf16-mixed, TF32", "2.0 GiB",
            "62.0 %", "batches were halved 2 times", "other bytes each time: put_, kthvalue CUDA",
        ):  # fmt: skip
            assert (text in words) == there, text


def test_a_thousand_photographs_are_less_than_15_mb():
    """Smooth images with grain, two tags, maps of both kinds and four masks each."""
    rng, names, kinds = np.random.default_rng(0), ("cat", "dog"), []
    for _ in range(20):
        fields = [cv2.GaussianBlur(rng.random((375, 500, 3)), (0, 0), size) for size in (3, 12, 40)]
        mixed = sum((one - one.mean()) / one.std() for one in fields)
        image = np.clip(128 + 30 * mixed + rng.normal(0, 4, mixed.shape), 0, 255).astype(np.uint8)
        fields = [cv2.GaussianBlur(rng.random((94, 125)), (0, 0), 6) for _ in range(4)]
        maps = [(one - one.min()) / np.ptp(one) for one in fields]
        seeds = [
            Seeds(np.array([1, 2], dtype=np.uint16), np.stack(two).astype(np.float16), (375, 500))
            for two in (maps[:2], maps[2:])
        ]
        mask = (cv2.GaussianBlur(mixed[..., 0], (0, 0), 12) > 0.5).astype(np.uint8)
        shown = Evidence(image, seeds[0], mask, mask[::-1], mask[:, ::-1], seeds[1])
        kinds.append(encode_layers(shown, budget(1000), {"prediction_tta_crf": 2 * mask}))
    images = [DoubtfulImage("train", f"2008_{n:06}", n / 1000, {}, 0.5) for n in range(1000)]
    entries = [
        {"id": one.item_id, "split": "train", "tags": [1, 2], "doubt": one.doubt, "score": 0.5,
         "parts": {"seeds_and_mask": 0.1234, "undecided_seeds": 0.1234, "lost_tags": 0.0},
         **kinds[n % 20]}
        for n, one in enumerate(images)
    ]  # fmt: skip
    data = replace(results(*names), images=images, gallery=Gallery(entries, 1000))
    size = len(render(header(data), all_sections(data)).encode())
    assert 5e6 < size < 15e6
    assert min(one["size"][0] for one in kinds) >= 150
