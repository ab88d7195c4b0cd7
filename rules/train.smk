"""Stage 2: one model from the features of all training tracks.

in   index_train.json, pump.pkl, the features, models to start from (initial:), and
     marks of jobs that failed in an earlier run
out  training/ESTIMATOR/resources/: model.h5, decoder.json, settings.json, history.csv,
     version.txt
     and undeclared, because Snakemake deletes the outputs of a job before it runs:
     trainings.jsonl, the ledger of trainings; .training-*, the state of one in progress
"""


rule train:
    input:
        features=training_features,
        index=index_file("train"),
        pump="training/{estimator}/resources/pump.pkl",
        script="training/{estimator}/02-train.py",
        code=code("train"),
        initial=initial,
        failures=failures,
    output:
        model="training/{estimator}/resources/model.h5",
        decoder="training/{estimator}/resources/decoder.json",
        settings="training/{estimator}/resources/settings.json",
        history="training/{estimator}/resources/history.csv",
        version="training/{estimator}/resources/version.txt",
    log:
        "logs/{estimator}/train.log",
    benchmark:
        "logs/{estimator}/train.tsv"
    conda:
        "../envs/training.yaml"
    threads: 8
    resources:
        mem_mb=more(3000),
        runtime=more(24 * 60),
        gpu=config["gpu"],
    params:
        options=options("train"),
        leave_out=leave_out("train"),
        features=features_directory,
        resources=subpath(output.model, parent=True),
    shell:
        "python {input.script} --index {input.index:q} --feature-dir {params.features:q}"
        " --pump {input.pump:q} --resources {params.resources:q} --threads {threads}"
        " {params.options} {params.leave_out} 2>&1 | tee {log:q}"
