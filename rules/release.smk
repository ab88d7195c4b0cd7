"""Release an evaluated model into the package; only on demand, not part of `all`.

in   training/ESTIMATOR/resources/, the indexes and the corpus; LIMITS.md
out  crema/models/ESTIMATOR/: SHA256SUMS and the files that it lists
"""


rule release:
    input:
        scores="training/{estimator}/resources/test_data.json",
        settings="training/{estimator}/resources/settings.json",
        index=index_file("train"),
        test_index=index_file("test"),
        notes="training/{estimator}/LIMITS.md",
        code=["crema/utils/release.py", "crema/export.py"],
    output:
        "crema/models/{estimator}/SHA256SUMS",
    log:
        "logs/{estimator}/release.log",
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=more(2000),
        runtime=more(30),
    params:
        corpus=CORPUS_OPTIONS,
        leave_out=leave_out("train", "test"),
        resources=subpath(input.scores, parent=True),
        directory=subpath(output[0], parent=True),
    shell:
        "python -m crema.utils.release {params.corpus} --index {input.index:q}"
        " --test-index {input.test_index:q} --resources {params.resources:q}"
        " --notes {input.notes:q} --output {params.directory:q} {params.leave_out}"
        " &> {log:q}"
