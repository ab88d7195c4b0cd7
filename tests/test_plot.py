"""The plot: annotations are drawn in the right place, and readable."""

import json
import sys
import warnings

import jams
import numpy as np
import pytest
from conftest import SAMPLE_RATE, annotate, synthesise, write_pair

from crema import exceptions, plot, program
from crema.audio import Audio
from crema.exceptions import CremaError
from crema.program import main
from crema.record import Record

LABELS = ["C:maj", "A:min7/b3", "N", "Gb:maj"]


@pytest.fixture(scope="module")
def jam():
    made = annotate(LABELS, seconds=10)
    made.file_metadata.title = "song"
    return made


def texts(axis):
    return [text.get_text() for text in axis.texts]


def test_thirty_seconds_are_a_row(jam):
    figure = plot.picture(jam)
    first, second = figure.axes
    assert first.get_xlim() == (0, 30) and second.get_xlim() == (30, 60)
    assert texts(first) == ["C", "Am7/C", "N.C.", "C major"]
    assert texts(second) == ["G♭", "C major"]
    assert figure.get_suptitle() == "song   ·   0:40   ·   C major" + (
        "   ·   120 beats per minute"
    )
    labels = [tick.get_text() for tick in second.get_xticklabels()]
    assert labels == ["0:30", "0:35", "0:40"]


def test_a_beat_that_is_annotated_twice_is_one():
    made = annotate(["C:maj"])
    (beats,) = made.search(namespace="beat")
    beats.data.clear()
    for time in (0, 0, 0, 0.5):
        beats.append(time=time, duration=0, value=1)
    assert "120 beats per minute" in plot.title(made, 1)
    beats.data.pop()
    assert "beats per minute" not in plot.title(made, 1)


def test_any_confidence_and_duration_is_drawn_or_an_error():
    made = annotate(["C:maj"])
    (chords,) = made.search(namespace="chord")
    chords.append(time=5, duration=1, value="G:maj", confidence="high")
    plot.picture(made)
    made.file_metadata.duration = 1e7
    with pytest.raises(CremaError, match="last 10000000 s, more than 24 hours"):
        plot.picture(made)


def test_a_row_shows_its_part_of_the_chroma(jam):
    audio = Audio(y=np.sin(np.arange(40 * SAMPLE_RATE) / 10), sr=SAMPLE_RATE)
    for axis in plot.picture(jam, audio).axes:
        (image,) = axis.images
        left, right, *_ = image.get_extent()
        start, end = axis.get_xlim()
        assert left <= start and min(end, 39.9) <= right < left + 31
        assert image.get_array().shape == (12, round((right - left) * 22050 / 2048))


def test_what_is_named_alike_is_not_drawn(jam):
    roman = jams.Annotation("chord_roman", time=0, duration=40)
    value = {"tonic": "C", "chord": "I"}
    roman.append(time=0, duration=40, value=value)
    position = jams.Annotation("beat_position", time=0, duration=40)
    made = jams.JAMS()
    made.annotations.extend([roman, position, *jam.annotations])
    expected = [texts(axis) for axis in plot.picture(jam).axes]
    assert [texts(axis) for axis in plot.picture(made, None).axes] == expected


def test_what_has_no_place_is_a_bar_below(jam):
    """For example, of a custom estimator, or the sections of a reference."""
    sections = jams.Annotation("segment_open", time=0, duration=40)
    sections.append(time=0, duration=35, value="verse", confidence=0.5)
    sections.append(time=35, duration=5, value="end")
    tags = jams.Annotation("tag_open", time=0, duration=40)
    tags.sandbox.name = "an estimator of my own"
    for time in (1, 2, 33):
        tags.append(time=time, duration=0, value="clap")
    made = jams.JAMS()
    made.file_metadata.duration = 40
    made.annotations.extend([*jam.annotations, sections, tags])
    audio = Audio(y=synthesise(LABELS, seconds=10), sr=SAMPLE_RATE)
    for music in (None, audio):
        before, figure = plot.picture(jam, music), plot.picture(made, music)
        assert figure.get_figheight() > before.get_figheight()
        first, second = figure.axes
        assert texts(first)[-1] == "verse" and texts(second)[-1] == "end"
        names = [label.get_text() for label in second.get_yticklabels()]
        assert names[-2:] == ["segment_open", "an estimator"]
        lines = [line for line in first.collections if hasattr(line, "get_segments")]
        assert [segment[0][0] for segment in lines[-1].get_segments()] == [1, 2]
    made.annotations = jams.AnnotationArray([sections])
    assert texts(plot.picture(made).axes[0]) == ["verse"]


def test_downbeats_are_stronger_than_beats(jam):
    axis = plot.picture(jam).axes[0]
    lines = [line for line in axis.collections if hasattr(line, "get_segments")]
    weak, strong = sorted(lines, key=lambda line: line.get_linewidth()[0])
    # A beat each half second, four per bar.
    assert len(strong.get_segments()) == 15 and len(weak.get_segments()) == 45
    assert [segment[0][0] for segment in strong.get_segments()][:3] == [0, 2, 4]


def test_chroma_is_drawn_where_there_is_audio(jam):
    audio = Audio(y=synthesise(LABELS[:2], seconds=10), sr=SAMPLE_RATE)
    figure = plot.picture(jam, audio)
    assert len(figure.axes) == 1, "the duration is that of the audio"
    (image,) = figure.axes[0].images
    chroma = image.get_array()
    for column, tones in ((20, {0, 4, 7}), (-20, {9, 0, 4, 7})):
        assert set(chroma[:, column].argsort()[-len(tones) :].tolist()) == tones
    assert not plot.picture(jam).axes[0].images


def test_silence_and_a_clip_are_drawn(jam, tmp_path):
    for y in (np.zeros(SAMPLE_RATE), np.ones(2)):
        audio = Audio(y=y, sr=SAMPLE_RATE)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            assert np.isfinite(plot.levels(audio)).all()
        plot.encode(tmp_path / "song.png", jam, audio)


def test_any_title_is_drawn_as_it_is(tmp_path):
    jam = annotate(["C:maj"])
    jam.file_metadata.title = "$\\frac{1$ 夜想曲"
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        drawn = plot.encode(tmp_path / "song.PNG", jam)
    assert drawn.startswith(b"\x89PNG")


def test_only_the_name_of_a_picture_is_to_blame_for_itself(jam, tmp_path, monkeypatch):
    def savefig(*_, **__):
        raise ValueError("too large")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", savefig)
    with pytest.raises(ValueError, match="too large"):
        plot.encode(tmp_path / "song.png", jam)


def test_hours_do_not_make_miles():
    figure = plot.picture(annotate(["C:maj"] * 4, seconds=3600))
    assert len(figure.axes) == plot.MOST_ROWS
    assert figure.axes[0].get_xlim() == (0, 240)


def test_a_short_chord_is_written_sideways_or_not_at_all():
    jam = annotate(["C:maj"], seconds=30)
    chord = jam.annotations["chord", 0]
    chord.append(10, 0.5, "F#:min7", 1.0)
    chord.append(20, 0.1, "F#:min7", 1.0)
    found = [
        text for text in plot.picture(jam).axes[0].texts if "m7" in text.get_text()
    ]
    assert [text.get_rotation() for text in found] == [90]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("C:maj", "C"),
        ("C", "C"),
        ("F#:hdim7", "F♯ø7"),
        ("Bb:min7/b3", "B♭m7/D♭"),
        ("F#:maj/3", "F♯/A♯"),
        ("Ab:7/#4", "A♭7/D"),
        ("E:minmaj7/b7", "Em(maj7)/D"),
        ("D:sus4(b7)", "Dsus4(b7)"),
        ("N", "N.C."),
        ("X", "?"),
    ],
)
def test_chords_are_written_as_over_staves(label, name):
    assert plot.chord_name(label) == name


def test_modes_are_as_dark_as_their_third():
    keys = jams.Annotation("key_mode", time=0, duration=6)
    names = ["C:major", "C:lydian", "C", "C:minor", "C:dorian", "C:phrygian"]
    for time, name in enumerate(names):
        keys.append(time, 1, name, 1.0)
    made = jams.JAMS()
    made.annotations.append(keys)
    (axis,) = plot.picture(made).axes
    faces = [tuple(box.get_facecolor()[0]) for box in axis.collections]
    bright, dark = plot.colour(0), plot.colour(0, minor=True)
    assert faces == [(*bright, 1.0)] * 3 + [(*dark, 1.0)] * 3


def test_colours_tell_roots_apart():
    assert len({plot.colour(root) for root in range(12)}) == 12
    bright, pale = (np.mean(plot.colour(0, sure=sure)) for sure in (1.0, 0.2))
    assert pale > bright > np.mean(plot.colour(0, minor=True))


def test_nothing_to_draw_is_an_error(jam, tmp_path):
    import jams

    with pytest.raises(CremaError, match="no annotations to draw"):
        plot.encode(tmp_path / "song.png", jams.JAMS())
    with pytest.raises(
        CremaError, match="song.odt: matplotlib cannot write this format"
    ):
        plot.encode(tmp_path / "song.odt", jam)
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for args in (["plot", "song.jams"], ["song.mp3", "--plot", "song.png"]):
        with pytest.raises(SystemExit) as caught:
            exceptions.program(lambda args=args: main(args))
        assert str(caught.value.code).endswith("pip install matplotlib")


# --- crema plot -----------------------------------------------------------------------


def test_the_audio_beside_is_found(tmp_path, capsys):
    write_pair(tmp_path, "song", LABELS)
    assert main(["plot", str(tmp_path / "song.jams")]) == 0
    assert (tmp_path / "song.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().err == f"wrote {tmp_path / 'song.png'}\n"
    # Its own picture is drawn again, another one is not replaced unless named.
    assert main(["plot", str(tmp_path / "song.jams")]) == 0
    (tmp_path / "song.png").write_bytes(b"cover")
    with pytest.raises(CremaError, match="song.png: was not drawn by crema; name"):
        main(["plot", str(tmp_path / "song.jams")])
    named = ["-o", str(tmp_path / "song.png")]
    assert main(["plot", str(tmp_path / "song.jams"), *named]) == 0


def test_the_audio_beside_is_found_whatever_its_case(tmp_path):
    for name in ("song.b.wav", "song.Mp3", "song.FLAC", "song.txt"):
        (tmp_path / name).touch()
    assert program.find_audio(tmp_path / "song.jams") == tmp_path / "song.FLAC"


def test_the_audio_is_found_by_the_record(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    write_pair(tmp_path, "song")
    audio = str(tmp_path / "song.flac")
    assert program.find_audio(out / "song.jams") is None
    with Record(out, {}) as record:
        for song in ("song", "album/one"):
            record.add(song, audio, {out / f"{song}.jams": ""}, None)
    assert program.find_audio(out / "song.jams") == audio
    assert program.find_audio(out / "album" / "one.jams") == audio
    assert program.find_audio(out / "album" / "song.jams") is None


def test_without_audio_it_says_so(tmp_path, capsys):
    write_pair(tmp_path, "song")
    (tmp_path / "song.flac").unlink()
    main(["plot", str(tmp_path / "song.jams"), "-o", str(tmp_path / "a.svg")])
    assert "name it with --audio" in capsys.readouterr().err
    assert "<svg" in (tmp_path / "a.svg").read_text()


def test_a_file_that_is_no_jams_is_one_line(tmp_path):
    (tmp_path / "a.jams").write_text(json.dumps({"a": 1}))
    with pytest.raises(CremaError, match="a.jams: is not valid JAMS"):
        main(["plot", str(tmp_path / "a.jams")])
