"""Files that are no images are named as what they are."""

import gzip
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from wsss.data.images import read_header, read_rgb
from wsss.errors import WsssError


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", "a")
    return stream.getvalue()


def pdf() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, format="PDF")
    return stream.getvalue()


def npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
MP4 = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41"


@pytest.mark.parametrize(
    ("content", "named", "remedy"),
    [
        (b"<html>404</html>", r"a web page \(HTML\)", "Download the image itself"),
        (b"\n<!DOCTYPE html>\n<html lang=de>", r"a web page \(HTML\)", "Download the image itself"),
        (b"\xef\xbb\xbf<!-- x --><HTML>", r"a web page \(HTML\)", "Download the image itself"),
        (b"<?xml version='1.0'?><Error/>", "an XML document", "Download the image itself"),
        (LFS, "a Git LFS pointer", "git lfs pull"),
        (SVG, r"a vector drawing \(SVG\)", "Export it as PNG"),
        (b"<?xml version='1.0'?>\n" + SVG, r"a vector drawing \(SVG\)", "Export it as PNG"),
        (zipped(), "a zip archive", "Unpack it"),
        (gzip.compress(b"abc", mtime=0), "a gzip archive", "Unpack it"),
        (pdf(), "a PDF document", "Export it as PNG"),
        (npy(), r"a NumPy array \(\.npy\)", "Image.fromarray"),
        (MP4, "a video", "ffmpeg"),
        (b"RIFF\x10\0\0\0AVI LIST", "a video", "ffmpeg"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "a camera's RAW file", "develops"),
        (b"FUJIFILMCCD-RAW 0201", "a camera's RAW file", "develops"),
    ],
)
def test_what_a_file_is_instead(tmp_path, content, named, remedy):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    expected = rf"a\.jpg: {named}, not an image, {len(content):,} bytes\. Expected .*{remedy}"
    for read in (read_rgb, read_header):
        with pytest.raises(WsssError, match=expected):
            read(path)


@pytest.mark.parametrize(("suffix", "plugin"), [("avif", "AVIF"), ("jp2", "JPEG2000")])
def test_a_pillow_without_a_codec_is_named(tmp_path, monkeypatch, suffix, plugin):
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (32, 32)).save(path)
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != plugin])
    with pytest.raises(
        WsssError, match=r"which this Pillow does not read, not.*pip install -U pillow"
    ):
        read_rgb(path)
