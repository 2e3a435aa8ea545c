"""A work folder of two runs that share a classifier, drawn by hand."""

import errno
import os
import time

import pytest
from filelock import FileLock

from wsss.artifacts import INPUTS, write_json
from wsss.cli.main import main
from wsss.files import StorageError
from wsss.runs.catalogue import catalogue
from wsss.runs.choice import DAY_S, choose
from wsss.runs.records import results
from wsss.runs.removal import remove, remove_left_locks
from wsss.stage_tools import locks

STAGES = {
    ("classify", "c1"): {},
    ("classify", "c2"): {},
    ("localize", "a1"): {"classify": "c1"},
    ("localize", "b1"): {"classify": "c1"},
    ("refine", "a2"): {"localize": "a1"},
    ("refine", "b2"): {"localize": "b1"},
    ("segment", "a3"): {"refine": "a2"},
    ("report", "a4"): {"segment": "a3", "refine": "a2"},
    ("report", "b4"): {"refine": "b2"},
}
"""`c2` leads to no result."""
A, B = ("report", "a4"), ("report", "b4")


@pytest.fixture
def work_dir(tmp_path, write_stage):
    for key, inputs in STAGES.items():
        write_stage(tmp_path / "runs", key, inputs)
    write_stage(tmp_path / "runs", ("segment", "u1"))
    (tmp_path / "runs" / "logs").mkdir()
    return tmp_path / "runs"


def chosen(work_dir, keep=(), days=7.0, now_s=None):
    found = catalogue(work_dir)
    choice = choose(found, keep or results(found), days, now_s or time.time())
    return [one.key for one, _ in choice.removed]


def there(work_dir):
    return {path.parent.parts[-2:] for path in work_dir.glob("*/*/masks")}


def test_the_catalogue_tells_what_comes_from_what(work_dir):
    found = catalogue(work_dir)
    assert set(found.folders) == {*STAGES, ("segment", "u1")}
    assert found.needed_by(("classify", "c1")) == [("localize", "a1"), ("localize", "b1")]
    assert found.origins([B]) == {B, ("refine", "b2"), ("localize", "b1"), ("classify", "c1")}
    unfinished = found.folders["segment", "u1"]
    assert (unfinished.state, unfinished.num_bytes) == ("unfinished", 1000)


def test_results_and_what_they_came_from_are_kept(work_dir):
    assert chosen(work_dir) == [("segment", "u1"), ("classify", "c2")]


def test_named_results_alone_are_kept_with_what_they_came_from(work_dir):
    kept = {*STAGES, ("segment", "u1")} - {*chosen(work_dir, [B])}
    assert kept == {B, ("refine", "b2"), ("localize", "b1"), ("classify", "c1")}


def test_later_stages_go_before_those_they_came_from(work_dir):
    order = chosen(work_dir, [B])
    for key, inputs in STAGES.items():
        for earlier in inputs.items():
            if key in order and earlier in order:
                assert order.index(key) < order.index(earlier)


@pytest.mark.parametrize(("days", "kept"), [(29.0, False), (31.0, True)])
def test_unfinished_stages_are_kept_for_some_days(work_dir, days, kept):
    assert (("segment", "u1") not in chosen(work_dir, days=days)) == kept


def test_an_unfinished_stage_with_a_recent_file_is_kept(work_dir):
    (work_dir / "segment" / "u1" / "masks" / "dog.png").write_bytes(b"")
    assert ("segment", "u1") not in chosen(work_dir)


def test_what_a_recent_unfinished_stage_is_computed_from_is_kept(work_dir, write_stage):
    """A run that was killed in its last stage, whose result no manifest names yet."""
    folder = work_dir / "segment" / "u2"
    write_json(folder / INPUTS, {"refine": "a9"})
    for key, inputs in {
        ("classify", "c9"): {},
        ("localize", "a8"): {"classify": "c9"},
        ("refine", "a9"): {"localize": "a8"},
    }.items():
        write_stage(work_dir, key, inputs)
    of_killed = {("segment", "u2"), ("refine", "a9"), ("localize", "a8"), ("classify", "c9")}
    assert catalogue(work_dir).origins([("segment", "u2")]) == of_killed
    assert not of_killed & {*chosen(work_dir)}
    assert not of_killed & {*chosen(work_dir, [B])}
    assert of_killed <= {*chosen(work_dir, now_s=time.time() + 8 * DAY_S)}
    (folder / INPUTS).write_text("{", encoding="utf-8")
    assert catalogue(work_dir).folders["segment", "u2"].inputs == frozenset()


def test_a_stage_that_a_run_has_begun_to_compute_is_left_alone(work_dir):
    found = catalogue(work_dir)
    both = [found.folders["classify", "c2"], found.folders["segment", "u1"]]
    with FileLock(work_dir / "segment" / "u1.lock"):
        assert [free for _, free in remove(both)] == [True, False]
    assert ("segment", "u1") in there(work_dir)
    assert ("classify", "c2") not in there(work_dir)


def test_locks_of_stages_that_are_gone_are_removed_unless_they_are_held(work_dir):
    for name in ("classify/c1", "classify/gone", "segment/held"):
        (work_dir / f"{name}.lock").touch()
    with FileLock(work_dir / "segment" / "held.lock"):
        remove_left_locks(work_dir)
    assert {path.name for path in work_dir.glob("*/*.lock")} == {"c1.lock", "held.lock"}


def test_a_folder_of_another_user_is_told(work_dir, monkeypatch):
    found = catalogue(work_dir)
    (work_dir / "classify" / "c2.lock").touch()

    def refused(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(locks, "kernel_lock", refused)
    with pytest.raises(StorageError, match=r"c2\.lock: it cannot be written"):
        next(remove([found.folders["classify", "c2"]]))
    assert ("classify", "c2") in there(work_dir)


def test_a_damaged_manifest_is_an_unfinished_stage(work_dir):
    path = work_dir / "report" / "b4" / "manifest.json"
    path.write_text("{", encoding="utf-8")
    assert catalogue(work_dir).folders[B].state == "unfinished"


def command(monkeypatch, capsys, *words, status=0):
    monkeypatch.setattr("sys.argv", ["wsss", "runs", *words])
    if status:
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == status
    else:
        main()
    said = capsys.readouterr()
    return " ".join((said.out + said.err).replace("│", " ").split())


def test_the_command_asks_before_it_removes(work_dir, monkeypatch, capsys):
    where = f"work_dir={work_dir}"
    before = there(work_dir)
    said = command(monkeypatch, capsys, "prune", where, status=1)
    assert "`--yes`" in said
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda *_: "n")
    assert "Nothing was removed." in command(monkeypatch, capsys, "prune", where)
    assert there(work_dir) == before
    said = command(monkeypatch, capsys, "prune", where, "--yes")
    removed = [("segment", "u1"), ("classify", "c2")]
    size = 2 * 1000 + (work_dir / "classify" / "c1" / "manifest.json").stat().st_size
    assert f"Removed {size / 1000:.1f} kB." in said
    assert not [*work_dir.glob("*/*.lock")]
    assert there(work_dir) == before - {*removed}
    said = command(monkeypatch, capsys, "prune", where, "--yes")
    assert "nothing to remove" in said


def test_the_command_keeps_what_is_named(work_dir, monkeypatch, capsys):
    command(
        monkeypatch, capsys, "prune", f"work_dir={work_dir}", "--keep", "runs/report/b4", "--yes"
    )
    assert there(work_dir) == {B, ("refine", "b2"), ("localize", "b1"), ("classify", "c1")}


def test_the_command_lists_and_shows(work_dir, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "120")
    said = command(monkeypatch, capsys, "list", f"work_dir={work_dir}")
    assert all("/".join(key) in said for key in STAGES)
    assert f"10 stages, {catalogue_size(work_dir)}" in said
    said = command(monkeypatch, capsys, "show", str(work_dir / "refine" / "a2"))
    assert "came from: classify/c1, localize/a1" in said
    assert "needed by: segment/a3, report/a4" in said
    assert "a.b 1" in said


def catalogue_size(work_dir):
    files = [path for path in work_dir.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return f"{sum(path.stat().st_size for path in files) / 1000:.1f} kB"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "`list`, `show` or `prune`"),
        (("lst",), "`list`"),
        (("list", "work_dir=nowhere"), "no such folder"),
        (("show",), "no folder"),
        (("list", "runs/segment/1"), "none for `list`"),
        (("prune", "--keep", "report/x9"), "keep=report/x9"),
        (("prune", "--keep", "segment"), "keep=segment"),
    ],
)
def test_mistakes_are_told(work_dir, monkeypatch, capsys, words, said):
    monkeypatch.chdir(work_dir.parent)
    assert said in command(monkeypatch, capsys, *words, status=1)


@pytest.fixture
def write_audit(work_dir, long_ago_s):
    """Write the folder of an audit: `write_audit(name, stages, finished)`."""

    def write(name, stages, finished=True):
        folder = work_dir / "audit" / name
        write_json(folder / "cache" / "state.json", {"fingerprint": name, "finished": finished})
        if finished:
            write_json(folder / "audit.json", {"run": {"stages": stages}})
        for path in (*folder.rglob("*"), folder):
            os.utime(path, (long_ago_s, long_ago_s))
        return folder

    return write


def test_audits_are_listed_with_the_stages_that_they_are_of(work_dir, write_audit, call_command):
    write_audit("d1", {"classify": "c1", "refine": "a2"})
    write_audit("d2", {}, finished=False)
    found = catalogue(work_dir)
    assert found.folders["audit", "d1"].state == "finished"
    assert found.folders["audit", "d2"].state == "unfinished"
    assert ("audit", "d1") in found.needed_by(("refine", "a2"))
    status, said = call_command("runs", "list", f"work_dir={work_dir}")
    assert status == 0
    assert "audit/d1" in said
    status, said = call_command("runs", "show", work_dir / "audit" / "d1")
    assert status == 0
    assert "audit/d1: finished" in said


def test_an_audit_stays_as_long_as_all_that_it_is_of(work_dir, write_audit):
    write_audit("d1", {"classify": "c1", "refine": "a2"})
    write_audit("d2", {"classify": "c2"})
    write_audit("d3", {"classify": "gone"})
    write_audit("d4", {}, finished=False)
    removed = {key for key in chosen(work_dir) if key[0] == "audit"}
    assert removed == {("audit", "d2"), ("audit", "d3"), ("audit", "d4")}
    assert ("classify", "c2") in chosen(work_dir)  # An audit keeps no stage.
    removed = {key for key in chosen(work_dir, [B]) if key[0] == "audit"}
    assert ("audit", "d1") in removed
    kept = chosen(work_dir, [("audit", "d2")])
    assert not {("audit", "d2"), ("classify", "c2")} & {*kept}


def test_an_audit_that_is_being_computed_is_not_removed(work_dir, write_audit):
    folder = write_audit("d2", {"classify": "c2"})
    audit = catalogue(work_dir).folders["audit", "d2"]
    with FileLock(folder / "cache.lock"):
        assert catalogue(work_dir).folders["audit", "d2"].state == "running"
        assert [free for _, free in remove([audit])] == [False]
    assert folder.is_dir()
    assert [free for _, free in remove([audit])] == [True]
    assert not folder.exists()
