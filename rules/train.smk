"""Stage 2: one model from the features of all training tracks.

in   index_train.json, pump.pkl, the features
out  training/ESTIMATOR/resources/: model.h5, decoder.json, settings.json, history.csv,
     version.txt
     and undeclared, because Snakemake deletes the outputs of a job before it runs:
     trainings.jsonl, the count of trainings; .training-*, the state of an unfinished one
"""


rule train:
    input:
        features=training_features,
        index=index_file("train"),
        pump=f"{RESOURCES}/pump.pkl",
        script="training/{estimator}/02-train.py",
        code=CODE["train"],
    output:
        model=f"{RESOURCES}/model.h5",
        decoder=f"{RESOURCES}/decoder.json",
        settings=f"{RESOURCES}/settings.json",
        history=f"{RESOURCES}/history.csv",
        version=f"{RESOURCES}/version.txt",
    log:
        "logs/{estimator}/train.log",
    benchmark:
        "logs/{estimator}/train.tsv"
    params:
        options=options("train"),
        features=lambda w: FEATURES.format(estimator=w.estimator),
        resources=subpath(output.model, parent=True),
    threads: 8
    resources:
        mem_mb=3000,
        runtime=24 * 60,
        gpu=config["gpu"],
    conda:
        "../envs/training.yaml"
    shell:
        "python {input.script} --index {input.index} --feature-dir {params.features}"
        " --pump {input.pump} --resources {params.resources} --threads {threads}"
        " {params.options} 2>&1 | tee {log}"
