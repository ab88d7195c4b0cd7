"""Stage 3: scores of the model on the test tracks, end to end from audio.

in   index_test.json, corpus/TRACK.flac and .jams of the test tracks, the model
out  training/ESTIMATOR/resources/: test_data.json; test_data.csv, the same as a table;
     estimates/TRACK.jams, what was scored
"""


rule evaluate:
    input:
        test_pairs,
        index=index_file("test"),
        model=f"{RESOURCES}/model.h5",
        pump=f"{RESOURCES}/pump.pkl",
        decoder=f"{RESOURCES}/decoder.json",
        version=f"{RESOURCES}/version.txt",
        script="training/{estimator}/03-evaluate.py",
        code=CODE["evaluate"],
    output:
        scores=f"{RESOURCES}/test_data.json",
        table=report(
            f"{RESOURCES}/test_data.csv",
            category="{estimator}",
            labels={"what": "scores per track"},
        ),
        estimates=directory(f"{RESOURCES}/estimates"),
    log:
        "logs/{estimator}/evaluate.log",
    benchmark:
        "logs/{estimator}/evaluate.tsv"
    params:
        options=options("evaluate"),
        resources=subpath(output.scores, parent=True),
    threads: 8
    resources:
        mem_mb=4000,
        runtime=4 * 60,
    conda:
        "../envs/training.yaml"
    shell:
        f"python {{input.script}} {CORPUS_OPTIONS} --index {{input.index}}"
        " --resources {params.resources} {params.options} 2>&1 | tee {log}"
