import pytest

from wsss.data.image_inspection import Inspection
from wsss.data.inspection_table import InspectionTable
from wsss.data.size_table import SizeTable
from wsss.errors import Problem, Severity
from wsss.files import DamagedFileError

WARNED = Problem("b.jpg", "all black", "colours", "Look at it.", Severity.WARNING)
SKIPPED = Problem("é.jpg", "cut off", "a whole file", "Mend it.", Severity.SKIPPED)
INSPECTIONS = (
    Inspection("a", 24, 32, ("grey",), True),
    Inspection("b", 1, 40_000, ("grey", "rotated"), False, (WARNED,)),
    Inspection("é", problems=(WARNED, SKIPPED)),
    Inspection("c", 7, 5, ("grey",)),
)


@pytest.fixture(params=["made", "read"])
def table(request, tmp_path):
    made = InspectionTable.of(iter(INSPECTIONS))
    if request.param == "made":
        return made
    made.save(tmp_path / "some" / "inspections.npz")
    return InspectionTable.load(tmp_path / "some" / "inspections.npz")


def test_a_table_knows_what_was_inspected(table):
    rows = [table.index.find(one.id) for one in INSPECTIONS]
    assert (len(table), rows, table.index.find("d")) == (4, [0, 1, 2, 3], None)
    assert table.sides.tolist() == [[one.height, one.width] for one in INSPECTIONS]
    assert table.has_mask.tolist() == [one.has_mask for one in INSPECTIONS]
    kinds = [table.conversions[number] for number in table.conversion]
    assert kinds == [one.conversions for one in INSPECTIONS]
    assert [table.problems.get(row, ()) for row in rows] == [one.problems for one in INSPECTIONS]
    assert [table.usable(row) for row in rows] == [True, True, False, True]


def test_sizes_are_those_of_decoded_images(table):
    sizes = SizeTable(table.index, table.sides)
    assert sizes == {"a": (24, 32), "b": (1, 40_000), "c": (7, 5)}
    assert (len(sizes), "é" in sizes, "d" in sizes) == (3, False, False)
    assert sizes.sides.tolist() == [[24, 32], [1, 40_000], [7, 5]]


def test_a_damaged_table_is_named(tmp_path):
    path = tmp_path / "inspections.npz"
    InspectionTable.of(INSPECTIONS).save(path)
    content = bytearray(path.read_bytes())
    content[content.index(b"all black")] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"inspections\.npz"):
        InspectionTable.load(path)
