"""Corpora that this repository can make itself.

in   only the code in crema/corpus
out  corpora/demo/TRACK.flac and .jams
"""

from crema.corpus.demo import catalogue

DEMO_CODE = [
    *sorted(map(str, pathlib.Path("crema/corpus/demo").glob("*.py"))),
    "crema/corpus/common.py",
    "crema/corpus/render.py",
    "crema/notes.py",
    "crema/utils/rng.py",
]
DEMO_TRACKS = [piece.track_id for piece in catalogue()]


rule demo_corpus:
    input:
        code=DEMO_CODE,
    output:
        expand(f"{DEMO}/{{track}}.{{ext}}", track=DEMO_TRACKS, ext=["flac", "jams"]),
    log:
        "logs/demo_corpus.log",
    benchmark:
        "logs/demo_corpus.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=more(2000),
        runtime=more(30),
    params:
        directory=subpath(output[0], parent=True),
    shell:
        "python -m crema.corpus.demo {params.directory} 2>&1 | tee {log:q}"
