"""What a library's errors say."""

import ast
import pickle
import re
from pathlib import Path

import pytest

import wsss
from wsss.errors import InvalidOptionError, UnsupportedError, WsssError, inside, user_error

INVALID = InvalidOptionError("device", "tpu", "cpu or cuda")
UNAVAILABLE = InvalidOptionError("weights", "hub", "a network", "no network", "Name a file.")
LACKING = UnsupportedError("CAM", "a network with a deep head", "a linear head", "Use one.", {"x"})


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (INVALID, "device='tpu': expected cpu or cuda"),
        (UNAVAILABLE, "weights=hub: no network. Expected a network. Name a file."),
        (LACKING, "CAM: a network with a deep head. Expected a linear head. Use one."),
        (user_error("a.csv", "it is empty", "rows", "Add some."),
         "a.csv: it is empty. Expected rows. Add some."),
    ],
)  # fmt: skip
def test_an_error_alone_says_what_came_and_what_was_expected(error, message):
    assert str(error) == message
    assert str(pickle.loads(pickle.dumps(error))) == message  # Another process may have raised it.


def test_a_value_is_refused_as_python_does():
    assert isinstance(INVALID, ValueError)
    assert isinstance(INVALID, WsssError)
    assert (INVALID.option, INVALID.value, INVALID.expected) == ("device", "tpu", "cpu or cuda")


def test_parts_of_an_argument_are_told_by_their_path():
    told = r"^method\.engine\.device='tpu': expected"
    with pytest.raises(InvalidOptionError, match=told), inside("method"), inside("engine"):
        raise InvalidOptionError("device", "tpu", "cpu or cuda")


DOORS = {
    "api", "auditing", "cli", "comparing", "explain", "exporting", "pipeline", "predict", "runs",
    "searching", "settings", "stage_tools", "stages",
}  # fmt: skip
"""What knows the settings of a command, or is called by them."""
SETTING = re.compile(
    r"wsss (run|explain)|(^|\W)--[a-z]"
    r"|(?<!\w)(affinity|backbone|cam|classify|data|dense_crf|evaluate|localize|oppose|propagate"
    r"|reactivate|refine|segment|segmenter|stages|trainer|work_dir|workers)(\.\w+)*(/\w+)?=(?!=)"
)


def test_libraries_name_no_settings():
    package = Path(wsss.__path__[0])
    files = [
        file for file in package.rglob("*.py") if file.relative_to(package).parts[0] not in DOORS
    ]
    assert len(files) > 100
    for file in files:
        tree = ast.parse(file.read_text())
        notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert id(node) in notes or not SETTING.search(node.value), (file, node.value)
