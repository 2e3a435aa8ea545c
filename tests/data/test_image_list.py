import re
from pathlib import Path

import pytest

from wsss.data.image_list import find_images


@pytest.fixture
def files(here):
    def write(*names: str) -> None:
        for name in names:
            path = here / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return write


def found(*words: str) -> dict[str, str]:
    items, problems = find_images(words)
    assert not problems, problems
    return {item.id: item.image.as_posix() for item in items}


def test_a_folder_means_the_images_below_it(files):
    files("p/b.jpg", "p/a.PNG", "p/deep/er/a.png", "p/.hidden.jpg", "p/.git/x.jpg", "p/notes.md")
    assert found("p") == {"a": "p/a.PNG", "b": "p/b.jpg", "deep/er/a": "p/deep/er/a.png"}


def test_patterns_that_the_shell_left_alone(files):
    files("p/b.jpg", "p/c/a.jpg", "p/c/a.png", "p/.x/a.jpg", "p/.b.jpg")
    assert found("p/**/*.jpg") == {"b": "p/b.jpg", "c/a": "p/c/a.jpg"}
    assert found("p/c/a.*") == {"p/c/a.jpg": "p/c/a.jpg", "p/c/a.png": "p/c/a.png"}


def test_a_file_with_signs_of_a_pattern_in_its_name_is_a_file(files):
    files("a[1].jpg", "a1.jpg")
    assert found("a[1].jpg") == {"a[1]": "a[1].jpg"}


def test_a_list_has_files_folders_and_patterns(files, here):
    files("p/b.jpg", "q/a.jpg", "one.gif")
    lines = ["\ufeff# those of May", "one.gif", "", "  p  ", "q/*.jpg"]
    (here / "list.txt").write_text("\r\n".join(lines), encoding="utf-8")
    assert found("list.txt") == {"one": "one.gif", "b": "p/b.jpg", "a": "q/a.jpg"}


def test_pictures_among_the_results_are_none_of_the_folder_around_them(files, here):
    files("p/a.jpg", "p/o/masks/a.png", "p/other/o/b.png")

    def ids(word: str) -> list[str]:
        return [item.id for item in find_images([word], Path("p/o"))[0]]

    assert ids("p") == ids(str(here / "p")) == ["a", "other/o/b"]
    assert ids("p/**/*.*") == ["a", "other/o/b"]
    assert ids("p/o/masks") == ids("p/o/masks/a.png") == ["a"]


def test_each_image_is_meant_once_in_the_order_of_the_words(files, here):
    files("p/b.jpg", "p/a.jpg")
    assert [*found("p/b.jpg", "p", str(here / "p" / "a.jpg"))] == ["b", "a"]


def test_images_of_one_name_have_ids_of_their_own(files, here):
    files("p/x.jpg", "q/x.jpg", "r/x.jpg", "r/x.png", "q/y.jpg")
    assert found("p", "q") == {"p/x": "p/x.jpg", "q/x": "q/x.jpg", "y": "q/y.jpg"}
    assert [*found("r")] == ["r/x.jpg", "r/x.png"]
    items, _ = find_images(["p", "q", "r", str(here / "q" / ".." / "p" / "x.jpg")])
    assert len({item.file_stem for item in items}) == len(items) == 6


def test_names_that_differ_in_case_alone_have_files_that_differ_in_more(files):
    files("p/a.jpg", "q/A.jpg")
    assert [*found("p", "q")] == ["p/a", "q/A"]


def test_accents_are_composed(files):
    files("cafe\u0301.jpg")
    assert [*found("cafe\u0301.jpg")] == ["caf\u00e9"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("empty", "empty: a folder without an image"),
        ("*.jpg", r"\*.jpg: no file has such a name"),
        ("gone.txt", "gone.txt: the file cannot be read"),
    ],
)
def test_words_that_mean_no_image_are_told(here, word, said):
    (here / "empty").mkdir()
    items, (problem,) = find_images([word])
    assert items == ()
    assert re.search(said, str(problem))


def test_a_missing_file_is_left_to_whoever_reads_it(here):
    assert found("gone.jpg") == {"gone": "gone.jpg"}
    assert not Path("gone.jpg").exists()
