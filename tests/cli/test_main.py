import subprocess
import sys
from pathlib import Path

import pytest

from wsss.cli import main as cli

COMMAND = Path(sys.executable).with_name("wsss")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--help"], "wsss check data=folder data.root=my_images"),
        (["run", "--help"], "data: folder, synthetic, voc07, voc12"),
        (["run", "--cfg", "job"], "_target_: wsss.stages.localize.run"),
        (["--version"], "wsss 0."),
    ],
)
def test_help_from_any_folder_leaves_nothing_behind(tmp_path, words, said):
    done = subprocess.run(
        [COMMAND, *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert said in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_command_lists_those_there_are(tmp_path):
    done = subprocess.run(
        [COMMAND, "rn"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "run" in done.stderr
    assert "check" in done.stderr


def test_scripts_are_short_for_a_stage(tmp_path):
    script = Path(__file__).parents[2] / "scripts" / "refine.py"
    done = subprocess.run(
        [sys.executable, script, "--cfg", "job"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("stages:\n- refine\nwork_dir")


@pytest.mark.parametrize(
    ("words", "module", "said"),
    [
        (["run"], "pipeline.run", "goes on from here"),
        (["check"], "pipeline.run", "begins anew"),
        (["explain", "a.jpg", "--checkpoint", "runs"], "explain.run", "begins anew"),
    ],
)
def test_an_interrupted_command_says_whether_it_goes_on(
    monkeypatch, capsys, tmp_path, words, module, said
):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["wsss", *words])
    monkeypatch.setattr(f"wsss.{module}.run", interrupted)
    monkeypatch.setattr("wsss.pipeline.check.check_data", interrupted)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 130
    assert f"The same command {said}." in capsys.readouterr().err
