"""Stage 0: one job per training track makes all its augmented copies.

in   corpus/TRACK.flac, corpus/TRACK.jams
out  work/ESTIMATOR/augmented/TRACK.json, the record; beside it TRACK.0.flac,
     TRACK.0.jams, TRACK.1.flac, ...
"""


rule setup:
    input:
        pair,
        script="training/{estimator}/00-setup.py",
        code=stages.CODE["setup"],
    output:
        RECORD,
    log:
        "logs/{estimator}/setup/{track}.log",
    benchmark:
        "logs/{estimator}/setup/{track}.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=more(2000),
        runtime=more(30),
    params:
        corpus=CORPUS_OPTIONS,
        options=options("setup"),
        directory=subpath(output[0], parent=True),
    shell:
        "python {input.script} {params.corpus} --track {wildcards.track:q}"
        " --output-dir {params.directory:q} {params.options} &> {log:q}"
