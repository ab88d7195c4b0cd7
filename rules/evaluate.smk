"""Stage 3: scores of the model on the test tracks, end to end from audio.

in   index_test.json, corpus/TRACK.flac and .jams of the test tracks, the model, and
     its companion models (beside:)
out  training/ESTIMATOR/resources/: test_data.json; test_data.csv, a table of it;
     estimates/TRACK.jams, the scored estimates
"""


rule evaluate:
    input:
        test_pairs,
        index=index_file("test"),
        model="training/{estimator}/resources/model.h5",
        pump="training/{estimator}/resources/pump.pkl",
        decoder="training/{estimator}/resources/decoder.json",
        version="training/{estimator}/resources/version.txt",
        script="training/{estimator}/03-evaluate.py",
        code=code("evaluate"),
        beside=beside,
    output:
        scores="training/{estimator}/resources/test_data.json",
        table="training/{estimator}/resources/test_data.csv",
        estimates=directory("training/{estimator}/resources/estimates"),
    log:
        "logs/{estimator}/evaluate.log",
    benchmark:
        "logs/{estimator}/evaluate.tsv"
    conda:
        "../envs/training.yaml"
    threads: 8
    resources:
        mem_mb=more(4000),
        runtime=more(4 * 60),
    params:
        corpus=CORPUS_OPTIONS,
        options=options("evaluate"),
        leave_out=leave_out("test"),
        resources=subpath(output.scores, parent=True),
    shell:
        "python {input.script} {params.corpus} --index {input.index:q}"
        " --resources {params.resources:q} {params.options} {params.leave_out} 2>&1 | tee {log:q}"
