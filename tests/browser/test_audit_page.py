"""The page of an audit in a browser: its keys, filters, slider, and what it saves."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from wsss.auditing.finding import KINDS, Finding
from wsss.auditing.page import write_page
from wsss.auditing.proposal import write_proposal
from wsss.data.source import SPLITS
from wsss.data.sources.folder import Folder

CURRENT = ".finding[aria-current=true]"
SHOWN = ".finding:visible"
DECIDED = "#decided"


def wrong(image: str, label: str) -> Finding:
    return Finding("wrong_tag", 0.5, True, "Look.", image, "train", label)


def missing(image: str, label: str) -> Finding:
    return Finding("missing_tag", 0.5, True, "Look.", image, "train", label)


FINDINGS = (
    wrong("both_0", "dog"),
    wrong("cat_0", "cat"),
    missing("dog_0", "cat"),
    Finding("inseparable_classes", 0.5, True, "Look.", label="cat", other="dog"),
    Finding("background_evidence", 0.5, True, "Look.", label="cat", images=("cat_1", "cat_2")),
    Finding(
        "fixed_position", 0.5, True, "Look.", "dog_1", "train", "dog",
        evidence={"left_px": 0, "top_px": 0, "right_px": 16, "bottom_px": 12},
    ),
    Finding("near_duplicate", 0.5, True, "Look.", "cat_2", "train", None, "both_2"),
)  # fmt: skip
"""One or more of each kind, on the images of `write_folder`."""
MAPS = {name: {0: 1.0, 1: 0.5} for name in ("both_0", "cat_0", "dog_0", "cat_1", "dog_1")}


@pytest.fixture
def pets(write_folder) -> Folder:
    return Folder(write_folder())


@pytest.fixture
def audit_page(write_audit_folder, pets) -> Callable[..., Path]:
    """Write the page of some findings."""

    def write(findings=FINDINGS, source=pets, maps=MAPS):
        folder = write_audit_folder(source.class_names, findings, maps)
        return write_page(folder, source, visible=False)

    return write


def opacity(page) -> float:
    return float(page.locator(".map").first.evaluate("one => getComputedStyle(one).opacity"))


def current(page) -> str:
    return page.locator(CURRENT).get_attribute("id")


def pressed(page, key: str) -> list[str]:
    return page.locator(f"#{key} [aria-pressed=true]").evaluate_all(
        "all => all.map(one => one.dataset.decision)"
    )


def saved(page, button: str, folder: Path) -> Path:
    with page.expect_download() as started:
        page.click(button)
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def test_j_and_k_go_from_finding_to_finding(open_page, audit_page):
    page = open_page(audit_page())
    ids = page.locator(SHOWN).evaluate_all("all => all.map(one => one.id)")
    assert len(ids) == len(FINDINGS)
    visited = []
    for _ in range(len(ids) + 1):
        page.keyboard.press("j")
        visited.append(current(page))
    assert visited == [*ids, ids[-1]]
    assert page.evaluate("document.activeElement.id") == ids[-1]
    page.keyboard.press("k")
    assert current(page) == ids[-2]


def test_y_and_n_decide_and_go_on_and_once_more_withdraw(open_page, audit_page):
    page = open_page(audit_page())
    page.keyboard.press("y")  # No finding is current: nothing to decide on.
    assert page.inner_text(DECIDED) == "0 of 7 decided"
    page.keyboard.press("j")
    page.keyboard.press("y")
    assert (current(page), pressed(page, "wrong_tag-1")) == ("wrong_tag-2", ["agree"])
    page.keyboard.press("n")
    assert (current(page), pressed(page, "wrong_tag-2")) == ("missing_tag-1", ["disagree"])
    assert page.inner_text(DECIDED) == "2 of 7 decided"
    page.keyboard.press("k")
    page.keyboard.press("n")
    assert (current(page), pressed(page, "wrong_tag-2")) == ("wrong_tag-2", [])
    assert page.inner_text(DECIDED) == "1 of 7 decided"


def test_a_button_decides_with_the_mouse_and_with_the_keyboard(open_page, audit_page):
    page = open_page(audit_page())
    page.click("#wrong_tag-2 [data-decision=disagree]")
    assert (current(page), pressed(page, "wrong_tag-2")) == ("wrong_tag-2", ["disagree"])
    page.focus("#wrong_tag-2 [data-decision=agree]")
    page.keyboard.press("Enter")
    assert pressed(page, "wrong_tag-2") == ["agree"]


def test_decisions_are_kept_until_they_are_forgotten(open_page, audit_page):
    page = open_page(audit_page())
    page.click("#missing_tag-1 [data-decision=agree]")
    page.select_option("#near_duplicate-1 .choice", "2")
    page.reload()
    assert pressed(page, "missing_tag-1") == ["agree"]
    assert page.input_value("#near_duplicate-1 .choice") == "2"
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("#open-help")
    page.click("#forget")
    assert pressed(page, "missing_tag-1") == []
    page.reload()
    assert page.inner_text(DECIDED) == "0 of 7 decided"


def test_m_switches_the_maps_and_the_slider_sets_their_opacity(open_page, audit_page):
    page = open_page(audit_page())
    assert opacity(page) == pytest.approx(0.7)
    page.keyboard.press("m")
    assert opacity(page) == 0
    page.keyboard.press("m")
    assert opacity(page) == pytest.approx(0.7)
    page.focus("#opacity")
    page.keyboard.press("ArrowRight")
    assert opacity(page) == pytest.approx(0.71)
    page.keyboard.press("End")
    assert opacity(page) == 1
    page.keyboard.press("j")  # Keys work beside the slider.
    assert current(page) == "wrong_tag-1"
    page.reload()
    assert opacity(page) == 1


def test_slash_searches_by_id_and_escape_ends_it(open_page, audit_page):
    page = open_page(audit_page())
    page.keyboard.press("/")
    page.keyboard.type("DOG_1")
    assert page.locator(SHOWN).evaluate_all("all => all.map(one => one.id)") == ["fixed_position-1"]
    assert page.locator(".none-match:visible").count() == len(KINDS) - 1
    page.keyboard.press("Enter")
    assert current(page) == "fixed_position-1"
    page.keyboard.press("/")
    page.keyboard.type("jynm?")  # Letters are text here.
    assert page.locator(SHOWN).count() == 0
    page.keyboard.press("Escape")
    assert page.locator(SHOWN).count() == len(FINDINGS)
    assert page.input_value("#search") == ""
    assert page.inner_text(DECIDED) == "0 of 7 decided"


def test_a_question_mark_shows_the_keys(open_page, audit_page):
    page = open_page(audit_page())
    assert not page.is_visible("#help")
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("j")  # Not meant for what lies behind it.
    assert page.locator(CURRENT).count() == 0
    page.keyboard.press("Escape")
    assert not page.is_visible("#help")


def test_filters_by_class_and_kind(open_page, audit_page):
    page = open_page(audit_page())
    page.select_option("#kind-filter", "wrong_tag")
    assert page.locator(SHOWN).evaluate_all("all => all.map(one => one.id)") == [
        "wrong_tag-1",
        "wrong_tag-2",
    ]
    assert page.locator("section.check:visible").count() == 1
    page.select_option("#class-filter", "cat")
    assert page.locator(SHOWN).evaluate_all("all => all.map(one => one.id)") == ["wrong_tag-2"]
    page.select_option("#kind-filter", "")
    found = page.locator(SHOWN).evaluate_all("all => all.map(one => one.dataset.identity)")
    assert len(found) == 5  # All but dog's wrong tag and dog's stamp.


def test_more_than_fifty_are_shown_when_asked_for(open_page, audit_page, write_folder):
    names = [f"{number:03d}" for number in range(120)]
    source = Folder(write_folder({f"{one}.png": ("cat",) for one in names}, root="many"))
    findings = [wrong(one, "cat") for one in names]
    page = open_page(audit_page(findings, source, {}))
    assert page.locator(SHOWN).count() == 50
    more = page.locator("#wrong_tag .more button")
    assert more.inner_text() == "Show 70 more"
    more.click()
    assert page.locator(SHOWN).count() == 120
    assert current(page) == "wrong_tag-51"
    assert not more.is_visible()


def test_what_is_saved_is_the_data_set_with_the_agreed_corrections(
    open_page, audit_page, pets, tmp_path
):
    page = open_page(audit_page())
    page.click("#wrong_tag-1 [data-decision=agree]")
    page.click("#wrong_tag-2 [data-decision=disagree]")
    page.click("#missing_tag-1 [data-decision=agree]")
    page.click("#near_duplicate-1 [data-decision=agree]")
    page.select_option("#near_duplicate-1 .choice", "1")
    page.click("#fixed_position-1 [data-decision=agree]")
    path = saved(page, "#save-labels", tmp_path)
    assert path.name == "labels.corrected.csv"
    expected = tags_of(pets)
    expected |= {"both_0": {"cat"}, "dog_0": {"dog", "cat"}, "both_2": {"cat"}}
    assert read_back(pets, path) == expected

    page.click("#open-help")
    with saved(page, "#save-decisions", tmp_path).open(encoding="utf-8", newline="") as stream:
        rows = [*csv.DictReader(stream)]
    assert [(row["kind"], row["decision"]) for row in rows] == [
        ("wrong_tag", "agree"),
        ("wrong_tag", "disagree"),
        ("missing_tag", "agree"),
        ("fixed_position", "agree"),
        ("near_duplicate", "agree"),
    ]
    assert (rows[-1]["image"], rows[-1]["other"]) == ("cat_2", "both_2")


def tags_of(source: Folder) -> dict[str, set[str]]:
    names = source.class_names
    return {
        item.id: {names[label - 1] for label in item.labels}
        for split in SPLITS
        for item in source.items(split)
    }


def read_back(source: Folder, path: Path) -> dict[str, set[str]]:
    """The tags of the same images with another table."""
    (source.root / "labels.csv").write_bytes(path.read_bytes())
    return tags_of(Folder(source.root))


@pytest.mark.parametrize(
    "names",
    [
        ("<script>alert(1)</script>", 'say "cat"', "a, b"),
        ("[cat]", "dog (large)", "{x}"),
        ("traffic light", "fire hydrant", "stop;sign"),
        ("x|y", "lion, Asian", "lion, African"),
    ],
)
@pytest.mark.parametrize("joint", [True, False], ids=["several", "one"])
def test_names_are_saved_so_that_they_are_read_back(
    open_page, audit_page, write_folder, tmp_path, names, joint
):
    tags = {f"im, {n}.png": (name,) for n, name in enumerate(names)}
    tags |= {'q"uote.png': names[:2] if joint else names[:1]}
    table = tmp_path / "given.csv"
    lines = [(file, str([*own])) for file, own in tags.items()]
    with table.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("image", "labels"), *lines])
    source = Folder(write_folder(tags, labels_csv=table.read_text(encoding="utf-8"), root="odd"))
    assert set(source.class_names) == set(names)
    page = open_page(audit_page([missing("im, 0", names[2])] if joint else [], source, {}))
    if joint:
        page.click("[data-decision=agree]")
    path = saved(page, "#save-labels", tmp_path)
    expected = tags_of(source)
    if joint:
        expected["im, 0"] = {names[0], names[2]}
    findings = [missing("im, 0", names[2])] if joint else []
    write_proposal(tmp_path / "proposal.csv", source, findings)
    with (tmp_path / "proposal.csv").open(encoding="utf-8", newline="") as proposed, path.open(
        encoding="utf-8", newline=""
    ) as from_page:  # fmt: skip
        cells = [(row["image"], row["labels"]) for row in csv.DictReader(proposed)]
        assert [(row["image"], row["labels"]) for row in csv.DictReader(from_page)] == cells
    assert read_back(source, path) == expected


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width_px", [400, 1200])
def test_nothing_is_wider_than_the_window_and_no_error_is_logged(
    open_page, audit_page, scheme, width_px
):
    page = open_page(audit_page(), scheme=scheme, width_px=width_px)
    assert page.evaluate("document.documentElement.scrollWidth") == width_px
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 200) == (scheme == "dark")
    assert page.locator(".stack .box").count() == 1
    box, stack = (
        page.locator(f"#fixed_position-1 {one}").bounding_box() for one in (".box", ".stack")
    )
    assert box["width"] == pytest.approx(stack["width"] / 2, abs=3)
    assert box["x"] == pytest.approx(stack["x"], abs=3)


def test_a_page_without_findings_opens(open_page, audit_page):
    page = open_page(audit_page([], maps={}))
    for key in "jkynm":
        page.keyboard.press(key)
    assert page.locator(".nothing:visible").count() == len(KINDS)


def test_every_control_has_a_name(open_page, audit_page):
    page = open_page(audit_page())
    unnamed = page.locator("button, input, select").evaluate_all(
        """all => all.filter(one => !(one.ariaLabel || one.textContent.trim()
          || [...(one.labels ?? [])].some(label => label.textContent.trim()))).length"""
    )
    assert unnamed == 0
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style != "none"
