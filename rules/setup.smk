"""Stage 0: one job per training track makes all its augmented copies.

in   corpus/TRACK.flac, corpus/TRACK.jams
out  work/ESTIMATOR/augmented/TRACK.json, the record; beside it TRACK.0.flac,
     TRACK.0.jams, TRACK.1.flac, ...
"""


rule setup:
    input:
        pair,
        script="training/{estimator}/00-setup.py",
        code=CODE["setup"],
    output:
        f"{AUGMENTED}/{{track}}.json",
    log:
        "logs/{estimator}/setup/{track}.log",
    benchmark:
        "logs/{estimator}/setup/{track}.tsv"
    params:
        options=options("setup"),
        directory=subpath(output[0], parent=True),
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../envs/training.yaml"
    shell:
        f"python {{input.script}} {CORPUS_OPTIONS} --track {{wildcards.track:q}}"
        " --output-dir {params.directory} {params.options} &> {log}"
