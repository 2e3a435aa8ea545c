"""The page of an audit as a file: what it holds, and that it stays small and harmless."""

import json
import re
from collections.abc import Sequence
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from wsss.auditing import page as module
from wsss.auditing.finding import KINDS, Audit, CheckResult, Finding, read_audit, write_audit
from wsss.auditing.page import write_page
from wsss.cli.tables.audited import outcome
from wsss.data.sample import Item
from wsss.data.source import TRAIN, Source
from wsss.data.sources.folder import Folder

EVIL = "<script>alert('x')</script>"


class Noise(Source):
    """Images of noise, the worst that a JPEG can be asked for, of which a few differ."""

    name = "noise"
    class_names = ("cat", "dog")

    def __init__(self, num_train: int) -> None:
        self.num_train = num_train

    def items(self, split: str) -> Sequence[Item]:
        count = self.num_train if split == TRAIN else 0
        return [Item(f"image_{number:06d}", (1,)) for number in range(count)]

    def read_image(self, item: Item) -> np.ndarray:
        rng = np.random.default_rng(int(item.id[-6:]))
        return rng.integers(0, 256, (300, 500, 3), dtype=np.uint8)

    def read_mask(self, item: Item) -> None:
        raise AssertionError("a page looks at no mask")

    def fingerprint(self, split: str) -> str:
        return ""

    def mask_fingerprint(self, split: str) -> str:
        return ""


def wrong(image, label, flagged=True, **more):
    return Finding("wrong_tag", 0.5, flagged, "Look at it.", image, "train", label, **more)


def data_of(html):
    """What the page's script reads."""
    (content,) = re.findall(r'<script type="application/json" id="page-data">(.*?)</script>', html)
    return json.loads(content)


@pytest.fixture
def pets(write_folder):
    return Folder(write_folder({"1.png": ("cat", "dog"), "2.png": ("dog",)}, splits={
        "train": ["1"], "val": ["2"],
    }))  # fmt: skip


def test_the_page_holds_what_a_person_needs(pets, write_audit_folder):
    finding = wrong("1", "dog", evidence={"probability": 0.034})
    output = write_audit_folder(pets.class_names, [finding], {"1": {1: 1.0}}, {"7": "truncated"})
    path = write_page(output, pets, visible=False)
    html = path.read_text(encoding="utf-8")
    for expected in (
        "Rule of wrong_tag.", "Look at it.", "the tag dog is removed", "3 %", "map of dog",
        "truncated", "Nothing is flagged here", "10 images (8 train and 2 val) of 2 classes",
        "1 finding to look at",
    ):  # fmt: skip
        assert expected in html, expected
    assert path == output / "index.html"
    assert data_of(html)["items"] == [["1", [0, 1]], ["2", [1]]]
    again = write_page(output, pets, visible=False).read_text(encoding="utf-8")
    assert again == html


def test_an_audit_of_a_run_whose_weights_saw_masks_says_so(pets, tmp_path):
    checks = {kind: CheckResult(1, f"Rule of {kind}.") for kind in KINDS}
    for saw, stamps in ((True, 1), (False, 0)):
        audit = Audit(pets.class_names, {"train": 2}, checks, {"saw_masks": saw})
        write_audit(tmp_path, audit)
        page = write_page(tmp_path, pets, visible=False).read_text(encoding="utf-8")
        assert page.count(">saw masks</strong>") == stamps
        console = Console(width=200, record=True, file=StringIO())
        console.print(outcome(read_audit(tmp_path), tmp_path), crop=False)
        assert console.export_text().count("Audited (saw masks)") == stamps


def test_whose_date_and_commit_a_page_shows_is_said(pets, tmp_path):
    run = {"finished_at": "2026-11-27T18:12:23+00:00", "commit": "0a1b2c3"}
    checks = {kind: CheckResult(1, f"Rule of {kind}.") for kind in KINDS}
    write_audit(tmp_path, Audit(pets.class_names, {"train": 2}, checks, run))
    page = write_page(tmp_path, pets, visible=False).read_text(encoding="utf-8")
    assert "<dt>Run finished</dt>" in page
    assert "<dt>Commit of the run</dt><dd><code>0a1b2c3</code></dd>" in page


def test_a_card_marks_what_is_doubted(pets, write_audit_folder):
    """The images of `pets` have the tags cat and dog, and dog alone."""
    findings = [
        wrong("1", "dog"),
        Finding("missing_tag", 0.5, True, "Look.", "2", "val", "cat"),
        Finding("near_duplicate", 0.5, True, "Look.", "1", "train", None, "2"),
        Finding("inseparable_classes", 0.5, True, "Look.", label="cat", other="dog"),
    ]
    output = write_audit_folder(pets.class_names, findings, {"1": {0: 1.0, 1: 0.5}})
    html = write_page(output, pets, visible=False).read_text(encoding="utf-8")
    cards = {
        re.search(r'id="(\w+)-1"', card)[1]: card
        for card in re.findall(r"<article.*?</article>", html, re.S)
    }

    def said(kind):
        title = re.search(r"<h3.*?</h3>", cards[kind], re.S)[0]
        return " ".join(re.sub("<.*?>", " ", title).split())

    def tags(kind, mark):
        return re.findall(rf'class="tag {mark}"[^>]*>(?:<bdi>)?(\w+)', cards[kind])

    assert {kind: said(kind) for kind in cards} == {
        "wrong_tag": "No dog found",
        "missing_tag": "An untagged cat",
        "near_duplicate": "The same picture twice",
        "inseparable_classes": "cat and dog are always together",
    }
    assert tags("wrong_tag", "doubted") == ["dog"]
    assert (tags("missing_tag", "doubted"), tags("missing_tag", "untagged")) == ([], ["cat"])
    assert tags("near_duplicate", "doubted") == ["cat"]  # Of the first; the other has none.
    assert tags("near_duplicate", "untagged") == []
    assert "map of dog" in cards["wrong_tag"]
    assert "map" not in cards["near_duplicate"]  # It would hide whether pictures are the same.


def test_numbers_are_explained_once_a_check(pets, write_audit_folder):
    findings = [wrong(one, "dog", evidence={"compactness": 0.5, "new": 1}) for one in "12"]
    output = write_audit_folder(pets.class_names, findings)
    html = write_page(output, pets, visible=False).read_text(encoding="utf-8")
    assert html.count("100 % if the map is one point") == 1
    assert html.count("<dt>new</dt>") == 2


def test_only_what_is_flagged_has_a_card(pets, write_audit_folder):
    output = write_audit_folder(pets.class_names, [wrong("1", "dog"), wrong("2", "dog", False)])
    html = write_page(output, pets, visible=False).read_text(encoding="utf-8")
    assert html.count("<article") == 1


def test_nothing_found_is_said(pets, write_audit_folder):
    html = write_page(write_audit_folder(pets.class_names, []), pets, visible=False).read_text()
    assert html.count("Nothing is flagged here") == 6
    assert "nothing is suspicious" in html
    assert "<article" not in html


def test_names_are_escaped(write_folder, write_audit_folder):
    csv = f'image,labels\n1.png,"{EVIL}|dog"\n2.png,dog\n'
    source = Folder(write_folder({"1.png": ("cat", "dog"), "2.png": ("dog",)}, labels_csv=csv))
    assert EVIL in source.class_names
    place = source.class_names.index(EVIL)
    findings = [
        wrong("1", EVIL, evidence={EVIL: 1.0}),
        Finding("near_duplicate", 0.5, True, EVIL, "1", "train", None, "2"),
        Finding("inseparable_classes", 0.5, True, EVIL, label=EVIL, other="dog"),
    ]
    output = write_audit_folder(source.class_names, findings, {"1": {place: 1.0}}, {EVIL: EVIL})
    html = write_page(output, source, visible=False).read_text(encoding="utf-8")
    assert "alert(" in html
    assert "<script>alert" not in html
    assert EVIL in data_of(html)["classes"]


def test_the_page_needs_no_network(pets, write_audit_folder):
    output = write_audit_folder(pets.class_names, [wrong("1", "dog")])
    html = write_page(output, pets, visible=False).read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["']?(?!data:|#)[^"' >]+""", html)
    assert "default-src 'none'" in html


@pytest.mark.slow
def test_the_page_stays_below_15_mb_and_tells_what_it_leaves_out(write_audit_folder):
    source = Noise(num_train=130_000)
    images = tuple(item.id for item in source.items(TRAIN)[:6])
    findings = [
        Finding("background_evidence", 0.5, True, "Look.", label="cat", images=images)
        for _ in range(30)
    ]
    findings += [wrong(image, "cat") for image in images] * 15
    output = write_audit_folder(source.class_names, findings)
    path = write_page(output, source, visible=False)
    html = path.read_text(encoding="utf-8")
    assert 10e6 < path.stat().st_size < 15e6
    assert len(data_of(html)["items"]) == 130_000
    by_kind = {
        kind: html.count(f' id="{kind}-') // 2 for kind in ("wrong_tag", "background_evidence")
    }
    assert 0 < by_kind["background_evidence"] < 30
    assert by_kind["wrong_tag"] >= by_kind["background_evidence"]
    (left,) = re.findall(r"(\d+) flagged findings more had no room", html)[-1:]
    assert int(left) == 30 - by_kind["background_evidence"]


def test_of_a_large_data_set_the_page_has_the_tags_of_its_findings(
    pets, write_audit_folder, monkeypatch
):
    monkeypatch.setattr(module, "TABLE_BYTES", 20)
    output = write_audit_folder(pets.class_names, [wrong("2", "dog")])
    html = write_page(output, pets, visible=False).read_text(encoding="utf-8")
    assert data_of(html)["items"] == [["2", [1]]]
    assert data_of(html)["table"] == "labels.findings.csv"
    assert "labels.corrected.csv" not in html
    assert "merge its rows" in html
    assert "in their place" not in " ".join(html.split())


def test_decisions_are_kept_by_what_the_data_set_is(pets, write_audit_folder, write_folder):
    """The key stays when tags are corrected, and is another one for other images."""
    output = write_audit_folder(pets.class_names, [])

    def key(source):
        return data_of(write_page(output, source, visible=False).read_text())["key"]

    def folder(root, **images):
        files = {f"{name}.png": tags for name, tags in images.items()}
        return Folder(write_folder(files, root=root), name="pets")

    first = key(folder("a", x=("cat",), y=("dog",)))
    assert first == key(folder("b", x=("dog",), y=("cat",)))
    assert first != key(folder("c", x=("dog",), z=("cat",)))
