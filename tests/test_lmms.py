"""LMMS projects: tempo, rendered audio, and rejected projects."""

import os
import sys
import zlib

import jams
import pytest
import soundfile

from crema.corpus import lmms
from crema.exceptions import AnnotationError, ConfigError, CorpusError

STEADY = 'bpm="150" timesig_numerator="3" timesig_denominator="4"'
#: Renders 4 s of silence, except for projects named silent, and then crashes.
PROGRAM = f"""#!{sys.executable}
import os, sys
import soundfile
assert "render" in sys.argv and os.environ["QT_QPA_PLATFORM"] == "offscreen"
if "silent" in " ".join(sys.argv):
    sys.exit("no sound")
rate = int(sys.argv[sys.argv.index("-s") + 1])
soundfile.write(sys.argv[sys.argv.index("-o") + 1], [0.0] * (4 * rate), rate)
os.abort()
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    path = tmp_path / "bin" / "lmms"
    path.parent.mkdir()
    path.write_text(PROGRAM)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")


def project(path, head=STEADY, inside=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = '<?xml version="1.0"?><!DOCTYPE lmms-project><lmms-project type="song">'
    text = f"{text}<head {head}>{inside}</head></lmms-project>".encode()
    if path.suffix == ".mmpz":
        text = len(text).to_bytes(4, "big") + zlib.compress(text)
    path.write_bytes(text)
    return path


@pytest.mark.parametrize("name", ["a.mmp", "a.mmpz"])
def test_the_tempo_is_that_of_quarter_notes(tmp_path, name):
    assert lmms.read_tempo(project(tmp_path / name)) == (0.4, 3)
    eighths = 'bpm="120" timesig_numerator="6" timesig_denominator="8"'
    assert lmms.read_tempo(project(tmp_path / name, eighths)) == (0.5, 3)


@pytest.mark.parametrize("other", ["-150", "0", "nan", "1e9", "fast"])
def test_a_tempo_that_is_none(tmp_path, other):
    broken = project(tmp_path / "a.mmp", STEADY.replace("150", other))
    with pytest.raises(AnnotationError, match=r"a\.mmp: .* tempo"):
        lmms.read_tempo(broken)


def test_projects_become_pairs(program, tmp_path, capsys):
    songs, out = tmp_path / "songs", tmp_path / "out"
    project(songs / "deep" / "Dance (Demo).mmpz")
    project(songs / "odd.mmp", STEADY.replace('"4"', '"8"'))
    project(songs / "silent.mmp")
    project(songs / "faster.mmp", "", '<bpm id="1" value="150"/>')
    (songs / "none.mmp").write_text("not an LMMS project")
    (songs / "broken.mmpz").write_bytes(b"\0\0\0\1not an LMMS project")
    assert lmms.main([str(songs), str(out), "--jobs", "2"]) == 1
    assert sorted(path.name for path in out.iterdir()) == [
        *("Dance_Demo.flac", "Dance_Demo.jams", "odd.flac", "odd.jams")
    ]
    assert soundfile.info(out / "Dance_Demo.flac").duration == 4
    (beats,) = jams.load(str(out / "Dance_Demo.jams")).annotations
    assert [beat.value for beat in beats] == [1, 2, 3, 1, 2, 3, 1, 2, 3, 1]
    for number, beat in enumerate(beats):
        assert beat.time == pytest.approx(0.4 * number, abs=1e-5)
    # Bars of one and a half quarters have no whole-numbered positions.
    (beats,) = jams.load(str(out / "odd.jams")).annotations
    assert {beat.value for beat in beats} == {None}
    told = capsys.readouterr().err
    assert "2 projects rendered" in told
    for track, why in (
        ("silent", "lmms cannot render it (no sound)"),
        ("faster", "tempo and meter are missing or automated"),
        ("none", "none.mmp: is not an LMMS project"),
        ("broken", "broken.mmpz: is not an LMMS project"),
    ):
        (line,) = [line for line in told.splitlines() if line.startswith(track)]
        assert why in line


def test_without_lmms_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="install the program LMMS"):
        lmms.render(project(tmp_path / "a.mmp"))


def test_what_others_made_is_not_overwritten(program, tmp_path):
    found = {"a": project(tmp_path / "a.mmp")}
    (tmp_path / "a.jams").write_text("{}")
    with pytest.raises(AnnotationError, match="was not made by"):
        lmms.convert(tmp_path, found, "a")
    assert not (tmp_path / "a.flac").exists()


def test_names_that_are_none(tmp_path):
    with pytest.raises(CorpusError, match=r"no \.mmp or \.mmpz"):
        lmms.find(tmp_path)
    for name in ("a b.mmp", "a-b.mmpz"):
        project(tmp_path / name)
    with pytest.raises(CorpusError, match="would get the track id a_b"):
        lmms.find(tmp_path)


def test_a_project_without_a_name_is_refused(tmp_path):
    (tmp_path / "!!!.mmp").touch()
    with pytest.raises(CorpusError, match=r"!!!\.mmp: the name has no letter"):
        lmms.find(tmp_path)
