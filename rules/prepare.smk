"""Stage 1: the pump; then one job per training track makes all its features.

in   corpus/TRACK.flac, corpus/TRACK.jams, work/ESTIMATOR/augmented/TRACK.json and
     the copies beside it
out  training/ESTIMATOR/resources/pump.pkl
     work/ESTIMATOR/features/TRACK.h5; beside it TRACK.0.h5, TRACK.1.h5, ...
"""


rule pump:
    input:
        script="training/{estimator}/01-prepare.py",
        code=CODE["prepare"],
    output:
        f"{RESOURCES}/pump.pkl",
    log:
        "logs/{estimator}/pump.log",
    params:
        options=options("prepare"),
    resources:
        mem_mb=1000,
        runtime=5,
    conda:
        "../envs/training.yaml"
    shell:
        "python {input.script} --pump {output} --pump-only {params.options} &> {log}"


rule prepare:
    input:
        pair,
        record=f"{AUGMENTED}/{{track}}.json",
        pump=f"{RESOURCES}/pump.pkl",
        script="training/{estimator}/01-prepare.py",
        code=CODE["prepare"],
    output:
        f"{FEATURES}/{{track}}.h5",
    log:
        "logs/{estimator}/prepare/{track}.log",
    benchmark:
        "logs/{estimator}/prepare/{track}.tsv"
    params:
        format=copy_format,
        augmented=subpath(input.record, parent=True),
        features=subpath(output[0], parent=True),
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../envs/training.yaml"
    shell:
        f"python {{input.script}} {CORPUS_OPTIONS} --track {{wildcards.track:q}}"
        " --pump {input.pump} --format {params.format}"
        " --augmented-dir {params.augmented} --feature-dir {params.features} &> {log}"
