"""Figures for `snakemake --report`.

in   training/ESTIMATOR/resources/: history.csv, test_data.json; index_train.json
     and undeclared, because Snakemake would rerun a stage to make them: its benchmarks
     logs/ESTIMATOR/STAGE.tsv and STAGE/TRACK.tsv
out  training/ESTIMATOR/resources/: curves.svg, scores.svg, tracks.html, confusion.svg,
     runtimes.svg
"""


report: "report.rst"


rule curves:
    input:
        history="training/{estimator}/resources/history.csv",
        code="crema/utils/figures.py",
    output:
        report(
            "training/{estimator}/resources/curves.svg",
            category="{estimator}",
            labels={"what": "learning curves"},
        ),
    log:
        "logs/{estimator}/curves.log",
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=more(1000),
        runtime=more(5),
    shell:
        "python -m crema.utils.figures curves {input.history} {output} &> {log:q}"


rule scores:
    input:
        scores="training/{estimator}/resources/test_data.json",
        code="crema/utils/figures.py",
    output:
        report(
            "training/{estimator}/resources/scores.svg",
            category="{estimator}",
            labels={"what": "distribution of scores, with the baseline"},
        ),
    log:
        "logs/{estimator}/scores.log",
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=more(1000),
        runtime=more(5),
    params:
        figure="scores",
    shell:
        "python -m crema.utils.figures {params.figure} {input.scores} {output} &> {log:q}"


use rule scores as tracks with:
    output:
        report(
            "training/{estimator}/resources/tracks.html",
            category="{estimator}",
            labels={"what": "scores per track"},
        ),
    log:
        "logs/{estimator}/tracks.log",
    params:
        figure="tracks",


use rule scores as confusion with:
    output:
        report(
            "training/{estimator}/resources/confusion.svg",
            category="{estimator}",
            labels={"what": "confusion matrix, with the baseline"},
        ),
    log:
        "logs/{estimator}/confusion.log",
    params:
        figure="confusion",


rule runtimes:
    input:
        # The last stage, which runs again after every other one.
        scores="training/{estimator}/resources/test_data.json",
        index=index_file("train"),
        code="crema/utils/figures.py",
    output:
        report(
            "training/{estimator}/resources/runtimes.svg",
            category="{estimator}",
            labels={"what": "runtimes of the stages"},
        ),
    log:
        "logs/{estimator}/runtimes.log",
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=more(1000),
        runtime=more(5),
    params:
        logs="logs/{estimator}",
        leave_out=leave_out("train"),
    shell:
        "python -m crema.utils.figures runtimes {input.index:q} {output}"
        " --logs {params.logs} {params.leave_out} &> {log:q}"
