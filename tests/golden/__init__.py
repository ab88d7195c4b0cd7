"""What the released models said of a few composed clips, and how to ask them again."""

import pathlib

#: Pieces of the demo corpus, of which the first fifteen seconds are composed.
CLIPS = ("neo_soul_1", "blues_shuffle_2", "royal_road_1")
SECONDS = 15.0


def path(clip):
    """Return where the annotations of a clip are stored."""
    return pathlib.Path(__file__).with_name(f"{clip}.json")


def annotations(clip):
    """Annotate a clip with the released models.

    Returns
    -------
    list of dict
        For each annotation its namespace and ``data``: start and end in seconds and
        value.
    """
    from crema.analyze import analyze
    from crema.corpus import demo
    from crema.corpus.render import render

    (piece,) = (piece for piece in demo.catalogue() if piece.track_id == clip)
    composed = demo.compose(piece, SECONDS)
    y = render(composed.parts, sample_rate=22050, duration=composed.duration)
    jam = analyze(y=y, sr=22050)
    return [
        {
            "namespace": annotation.namespace,
            "data": [
                [round(o.time, 3), round(o.time + o.duration, 3), o.value]
                for o in annotation
            ],
        }
        for annotation in jam.annotations
    ]
