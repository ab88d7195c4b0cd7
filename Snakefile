# From a directory of audio and JAMS to a trained, evaluated model:
#
#     snakemake --cores 8 training/chord/resources/test_data.json
#
# Settings are in config/config.yaml.  Add -n to see what would run, and why.


configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/corpus.smk"
include: "rules/setup.smk"
include: "rules/prepare.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"
include: "rules/release.smk"
include: "rules/summary.smk"


# Too short to be queued on a cluster.
localrules:
    all,
    pump,
    curves,
    scores,
    tracks,
    confusion,
    runtimes,


rule all:
    default_target: True
    input:
        expand("training/{estimator}/resources/test_data.json", estimator=ESTIMATORS),
        expand(
            "training/{estimator}/resources/{figure}",
            estimator=ESTIMATORS,
            figure=[
                "curves.svg",
                "scores.svg",
                "tracks.html",
                "confusion.svg",
                "runtimes.svg",
            ],
        ),
