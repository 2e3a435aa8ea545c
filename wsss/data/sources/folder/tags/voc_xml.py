"""Annotations as PASCAL VOC has them: an XML file an image, for the names of its objects only.

Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", IJCV 2010. Objects marked
difficult are included.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from wsss.data.sources.file_source import walk_files
from wsss.data.sources.folder.tags.tag_table import Request, TagRow, TagTable
from wsss.data.sources.text_files import cleaned
from wsss.errors import Problem, Severity, user_error
from wsss.wording import plural

SUFFIX = ".xml"


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses a document type, where entities would be defined that grow without bound."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse it."""
        raise ElementTree.ParseError("it has a document type")


def voc_xml_table(request: Request) -> TagTable:
    """The names of the objects in each annotation of a folder.

    The image is that of the XML file's name, else the one that is written in it.

    Raises:
        WsssError: there are no annotations in the folder.
    """
    files = list(walk_files(request.path, [SUFFIX]))
    if not files:
        raise user_error(
            request.path,
            "a folder without XML files",
            "an annotation `<image>.xml` of every image",
            "Name the file or the folder that holds the labels.",
        )
    rows: list[TagRow] = []
    problems: list[Problem] = []
    for file in files:
        try:
            root = _root(request.path / file)
        except (OSError, ElementTree.ParseError) as error:
            problems.append(
                Problem(
                    str(request.path / file),
                    f"unreadable annotation ({error})",
                    "an XML file as PASCAL VOC has it, with the name of every object",
                    "Correct or replace these files.",
                )
            )
            continue
        row = _row(request, file, root)
        rows.append(row)
        problems += _doubts(request, row, root)
    return TagTable(rows, plural(len(files), "XML file") + " of PASCAL VOC's kind", problems)


def _root(path: Path) -> ElementTree.Element:
    """The outermost element of an annotation."""
    root = ElementTree.parse(path, ElementTree.XMLParser(target=_NoDoctype())).getroot()
    if root is None or root.tag != "annotation":
        raise ElementTree.ParseError("its outermost element is no <annotation>")
    return root


def _row(request: Request, file: Path, root: ElementTree.Element) -> TagRow:
    names = (_text(node.find("name")) for node in root.iterfind("object"))
    labels = tuple(dict.fromkeys(name for name in names if name))
    written, folder = _text(root.find("filename")), _text(root.find("folder"))
    own = file.with_suffix("").as_posix()
    return TagRow(file.as_posix(), _image(request, [own, written, f"{folder}/{written}"]), labels)


def _doubts(request: Request, row: TagRow, root: ElementTree.Element) -> Iterator[Problem]:
    """Objects without a name, and the name of another image that is there as well."""
    if nameless := sum(not _text(node.find("name")) for node in root.iterfind("object")):
        yield Problem(
            str(request.path / row.place),
            f"{plural(nameless, 'object')} without a name",
            "the name of every object",
            "Write the names, or remove these objects.",
        )
    written = _text(root.find("filename"))
    found = {request.index.find(entry) for entry in (row.image, written)}
    if None not in found and len(found) > 1:
        yield Problem(
            str(request.path / row.place),
            f"its <filename> is '{written}', which is another image than '{row.image}'",
            "an annotation named after its image",
            "Nothing to do if its own name is right; else rename it.",
            Severity.WARNING,
        )


def _image(request: Request, entries: Sequence[str]) -> str:
    """The first entry that is an image; the first of all if none is."""
    return next((one for one in entries if request.index.find(one) is not None), entries[0])


def _text(node: ElementTree.Element | None) -> str:
    return cleaned(node.text or "") if node is not None else ""
