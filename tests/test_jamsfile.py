"""JAMS files are valid, and errors are one line."""

import jams
import pytest
from conftest import annotate, one_line

from crema.exceptions import AnnotationError
from crema.utils import jamsfile


def names(directory):
    return sorted(path.name for path in directory.iterdir())


LEAVE_OUT = "; correct it or leave it out"


@pytest.mark.parametrize("ext", ["jams", "jamz"])
def test_jams_are_read_as_they_were_written(tmp_path, ext):
    path = tmp_path / f"a.{ext}"
    jam = annotate(["C:maj", "Bb:min7/b3"])
    jamsfile.write(path, jam)
    assert jamsfile.read(path).dumps() == jam.dumps()
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == (ext == "jamz")
    assert names(tmp_path) == [f"a.{ext}"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"\x80\xff\x00" * 99,
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"unknown": 1}',
        b'{"annotations": [], "file_metadata": {"duration": -1}, "sandbox": {}}',
    ],
)
@pytest.mark.parametrize("ext", ["jams", "jamz", "txt"])
def test_garbage_is_not_jams(tmp_path, content, ext):
    path = tmp_path / f"a.{ext}"
    path.write_bytes(content)
    with pytest.raises(AnnotationError) as caught:
        jamsfile.read(path)
    line = one_line(caught, path)
    assert "is not valid JAMS" in line and line.endswith(LEAVE_OUT)


def test_jams_that_break_the_schema(tmp_path):
    jam = annotate(["C:maj"])
    jam.annotations[0].append(0, 1, "Q:maj", None)
    path = tmp_path / "a.jams"
    jam.save(str(path), strict=False)
    reason = "'Q:maj' does not match the schema"
    with pytest.raises(AnnotationError) as caught:
        jamsfile.read(path)
    assert one_line(caught, path) == f"{path}: is not valid JAMS ({reason}){LEAVE_OUT}"
    path.unlink()
    with pytest.raises(AnnotationError) as caught:
        jamsfile.write(path, jam)
    line = one_line(caught, path)
    assert line == f"{path}: would not be valid JAMS: as chord, {reason}"
    assert not names(tmp_path)


def test_jams_without_duration_or_of_another_suffix(tmp_path):
    with pytest.raises(AnnotationError, match="a.jams"):
        jamsfile.write(tmp_path / "a.jams", jams.JAMS())
    assert not names(tmp_path)
    for name, start in (("a.txt", b"{"), ("a", b"{"), ("a.JAMZ", b"\x1f\x8b")):
        jamsfile.write(tmp_path / name, annotate(["C:maj"]))
        assert (tmp_path / name).read_bytes().startswith(start)


def test_no_annotation_there(tmp_path):
    for path in (tmp_path / "a.jams", tmp_path):
        with pytest.raises(AnnotationError, match="no such annotation file") as caught:
            jamsfile.read(path)
        assert "add it or leave it out" in one_line(caught, path)
