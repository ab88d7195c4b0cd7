"""Figures for `snakemake --report`.

in   training/ESTIMATOR/resources/: history.csv, test_data.json
out  training/ESTIMATOR/resources/: curves.svg, scores.svg
"""


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
            labels={"what": "scores beside the baseline"},
        ),
    log:
        "logs/{estimator}/scores.log",
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=more(1000),
        runtime=more(5),
    shell:
        "python -m crema.utils.figures scores {input.scores} {output} &> {log:q}"
