"""Stage 1: the pump; then one job per training track makes all its features.

in   corpus/TRACK.flac, corpus/TRACK.jams, work/ESTIMATOR/augmented/TRACK.json and
     the copies beside it
out  training/ESTIMATOR/resources/pump.pkl
     work/ESTIMATOR/features/TRACK.h5; beside it TRACK.0.h5, TRACK.1.h5, ...
"""


rule pump:
    input:
        script="training/{estimator}/01-prepare.py",
        code=stages.CODE["prepare"],
    output:
        "training/{estimator}/resources/pump.pkl",
    log:
        "logs/{estimator}/pump.log",
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=more(1000),
        runtime=more(5),
    params:
        options=options("prepare"),
    shell:
        "python {input.script} --pump {output} --pump-only {params.options} &> {log:q}"


rule prepare:
    input:
        pair,
        record=RECORD,
        pump="training/{estimator}/resources/pump.pkl",
        script="training/{estimator}/01-prepare.py",
        code=stages.CODE["prepare"],
    output:
        FEATURES,
    log:
        "logs/{estimator}/prepare/{track}.log",
    benchmark:
        "logs/{estimator}/prepare/{track}.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=more(2000),
        runtime=more(30),
    params:
        corpus=CORPUS_OPTIONS,
        format=copy_format,
        augmented=subpath(input.record, parent=True),
        features=subpath(output[0], parent=True),
    shell:
        "python {input.script} {params.corpus} --track {wildcards.track:q}"
        " --pump {input.pump:q} --format {params.format}"
        " --augmented-dir {params.augmented:q} --feature-dir {params.features:q} &> {log:q}"
