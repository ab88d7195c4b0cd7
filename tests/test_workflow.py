"""The workflow on a tiny corpus: it builds, and rebuilds only stale files."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import jams
import numpy as np
import pytest
import soundfile
import yaml
from conftest import TRAIN, assert_same_features, git, snakemake
from snakemake.utils import update_config

TARGET = "training/chord/resources/test_data.json"


def stale(directory, *options, target=TARGET):
    """Return how often each rule would run."""
    done = snakemake(directory, "-n", *options, target=target)
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    if "Nothing to be done" in text:
        return {}
    rows = re.findall(r"^(\w+) +(\d+)$", text.split("Job stats:")[1], re.M)
    counts = {name: int(count) for name, count in rows}
    assert counts.pop("total") == sum(counts.values())
    return counts


@contextlib.contextmanager
def changed(path, edit):
    """Apply `edit` to the text of a file, and undo it afterwards."""
    before = path.read_text()
    after = edit(before)
    assert after != before
    path.write_text(after)
    try:
        yield
    finally:
        path.write_text(before)


def test_a_second_run_does_nothing(built):
    assert stale(built) == {}


@pytest.mark.parametrize(
    "name",
    [
        "training/chord/02-train.py",
        "crema/utils/train.py",
        "crema/utils/sampling.py",
        "crema/utils/rng.py",
        "crema/layers/chord.py",
    ],
)
def test_training_code_trains_again(built, name):
    with changed(built / name, lambda text: text + "\n# changed\n"):
        assert stale(built) == {"train": 1, "evaluate": 1}


def test_a_training_option_trains_again(built):
    def edit(text):
        return text.replace("epochs: 1", "epochs: 2")

    with changed(built / "config" / "tiny.yaml", edit):
        assert stale(built) == {"train": 1, "evaluate": 1}


def test_weights_to_begin_with_train_again(built):
    weights = "initial: [crema/models/beat/version.txt]"  # a file that exists

    def edit(text):
        return text.replace("epochs: 1", f"epochs: 1\n    {weights}")

    with changed(built / "config" / "tiny.yaml", edit):
        assert stale(built) == {"train": 1, "evaluate": 1}


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("epochs: 1", "epochs: 1\n    initial: [gone.h5]", "gone.h5: no such file"),
        (
            "epochs: 1",
            "epochs: 1\n    initial: [training/chord/resources/model.h5]",
            "training would overwrite it; name a copy elsewhere",
        ),
        (
            "chord:",
            "chord:\n  evaluate: {beside: [crema/models/gone]}",
            "crema/models/gone: contains no trained model",
        ),
        ("index:", "index:\n  leave_out: [axis1]", "'axis1' is in no index"),
    ],
)
def test_what_the_settings_name_must_be_there(built, before, after, reason):
    """Snakemake would do nothing, or remove a model before training from it."""

    def edit(text):
        return text.replace(before, after)

    with changed(built / "config" / "tiny.yaml", edit):
        done = snakemake(built, "-n", target=TARGET)
    assert done.returncode and reason in done.stdout + done.stderr


def test_a_model_beside_evaluates_again(built):
    def edit(text):
        return text.replace(
            "chord:", "chord:\n  evaluate: {beside: [crema/models/beat]}"
        )

    with changed(built / "config" / "tiny.yaml", edit):
        assert stale(built) == {"evaluate": 1}
        # Its code also affects the scores.
        done = snakemake(built, "-n", target=TARGET)
        evaluated = (done.stdout + done.stderr).split("rule evaluate:")[1]
        for name in ("beat/version.txt", "beat.py", "beat_pulse.py"):
            assert f"crema/models/{name}" in evaluated
        assert "crema/tasks/beat.py" in evaluated


def test_a_model_beside_is_known_by_what_it_says_wherever_it_lies(built, tmp_path):
    own = tmp_path / "chord" / "mine"
    shutil.copytree(built / "crema" / "models" / "beat", own)
    with configured(built, f"chord: {{evaluate: {{beside: [{own}]}}}}"):
        done = snakemake(built, "-n", target=TARGET)
        text = done.stdout + done.stderr
    assert done.returncode == 0, text
    (inputs,) = re.findall(r"^rule evaluate:\n +input: (.*)$", text, re.M)
    assert {f"{own}/version.txt", "crema/models/beat.py", "crema/tasks/beat.py"} <= set(
        inputs.split(", ")
    )
    shutil.copy(built / "crema" / "models" / "chord" / "settings.json", own)
    with configured(built, f"chord: {{evaluate: {{beside: [{own}]}}}}"):
        assert f"beside: {own}: is the estimator itself" in refused(built)


@pytest.mark.parametrize("start", ["", "{built}/"])
def test_a_model_beside_that_is_not_trained_yet_is_trained(built, start):
    path = f"{start.format(built=built)}training/beat/resources"
    version = built / "training" / "beat" / "resources" / "version.txt"
    version.rename(built / "away")
    try:
        with configured(built, f"chord: {{evaluate: {{beside: [{path}]}}}}"):
            assert stale(built) == {"train": 1, "evaluate": 1}
    finally:
        (built / "away").rename(version)


def test_the_hop_length_prepares_again_but_augments_nothing(built):
    def edit(text):
        return text.replace("chord:", "chord:\n  prepare:\n    hop_length: 1024")

    with changed(built / "config" / "tiny.yaml", edit):
        expected = {"pump": 1, "prepare": TRAIN, "train": 1, "evaluate": 1}
        assert stale(built) == expected


def test_augmentation_code_makes_everything_again(built):
    def edit(text):
        return text + "\n# changed\n"

    with changed(built / "crema" / "deformers.py", edit):
        expected = {"setup": TRAIN, "prepare": TRAIN, "train": 1, "evaluate": 1}
        assert stale(built) == expected


def test_evaluation_code_evaluates_again(built):
    for name in ("training/chord/03-evaluate.py", "crema/models/chord.py"):
        with changed(built / name, lambda text: text + "\n# changed\n"):
            assert stale(built) == {"evaluate": 1}


def test_one_training_annotation_makes_its_own_track_again(built):
    track = sorted((built / "corpora" / "tiny").glob("*.jams"))[0]
    with changed(track, lambda text: text.replace('"artist": ""', '"artist": "new"')):
        expected = {"setup": 1, "prepare": 1, "train": 1, "evaluate": 1}
        assert stale(built) == expected


def test_the_labels_of_an_estimator_prepare_it_again(built):
    with changed(built / "crema/tasks/chord.py", lambda text: text + "\n# changed\n"):
        expected = {"pump": 1, "prepare": TRAIN, "train": 1, "evaluate": 1}
        assert stale(built) == expected


def test_a_new_track_makes_its_own_jobs(built):
    tiny = built / "corpora" / "tiny"
    for ext in ("flac", "jams"):
        shutil.copy(sorted(tiny.glob(f"*.{ext}"))[0], tiny / f"new.{ext}")

    def edit(text):
        return json.dumps([*json.loads(text), {"track_id": "new", "group": "new"}])

    with changed(tiny / "index_train.json", edit):
        expected = {"setup": 1, "prepare": 1, "train": 1, "evaluate": 1}
        assert stale(built) == expected


def test_a_test_track_evaluates_again(built):
    tiny = built / "corpora" / "tiny"
    (record,) = json.loads((tiny / "index_test.json").read_text())
    audio = tiny / f"{record['track_id']}.flac"
    before = audio.read_bytes()
    shutil.copy(sorted(tiny.glob("*.flac"))[0], audio)
    try:
        assert stale(built) == {"evaluate": 1}
    finally:
        audio.write_bytes(before)


def test_what_does_not_matter_runs_nothing(built):
    others = [
        *(built / "training" / "beat" / name for name in ("01-prepare.py", "notes.py")),
        *(built / "crema" / part / "beat.py" for part in ("models", "tasks")),
        built / "crema" / "models" / "beat_pulse.py",
    ]
    before = [path.read_bytes() if path.is_file() else None for path in others]
    for path in others:
        with path.open("a") as stream:
            stream.write("# another estimator's file\n")
    (built / "README.md").write_text("changed")
    # Checking out another revision and back gives every file a new time.
    now = time.time() + 10
    for path in [*built.glob("crema/**/*.py"), *built.glob("training/chord/*")]:
        if path.is_file():
            os.utime(path, (now, now))
    for path in (built / "corpora" / "tiny").iterdir():
        os.utime(path, (now, now))
    try:
        assert stale(built) == {}
    finally:
        for path, content in zip(others, before, strict=True):
            path.write_bytes(content) if content else path.unlink()


def test_a_checkout_of_another_revision_and_back_runs_nothing(built):
    code = built / "crema" / "utils" / "train.py"
    git(built, "stash", "-q")  # what other tests left
    git(built, "checkout", "-qb", "other")
    code.write_text(code.read_text() + "\n# changed\n")
    git(built, "commit", "-qam", "other")
    assert stale(built) == {"train": 1, "evaluate": 1}
    git(built, "checkout", "-q", "-")
    assert stale(built) == {}


def test_the_demo_corpus_is_found_however_it_is_spelt(built):
    demo = "index: {{train: 'training/{{estimator}}/index_train.json', test: "
    demo += "'training/{{estimator}}/index_test.json'}}\ncorpus: {{directory: {}}}"
    for spelling in ("./corpora/demo/", built / "corpora" / "demo"):
        with configured(built, demo.format(spelling)):
            assert stale(built)["demo_corpus"] == 1


def test_a_whole_number_is_the_same_with_its_point(built):
    same = "chord: {prepare: {hop_length: 2048.0}, train: {patch_duration: 1}}"
    with configured(built, same):
        assert stale(built) == {}


def test_the_profile_of_a_cluster_asks_for_the_same_jobs(built):
    profile = ["--workflow-profile", "profiles/slurm", "--forceall"]
    counts = stale(built, *profile)
    assert counts == stale(built, "--forceall")
    assert counts["setup"] == counts["prepare"] == TRAIN


def test_a_job_reads_no_index_but_the_one_that_it_needs(built):
    """On a cluster each job parses the rules again, and an index can be large."""
    track = training_tracks(built)[0]

    def job(rule, **wildcards):
        values = ",".join(f"{name}={value}" for name, value in wildcards.items())
        # The options of executors (SpawnedJobArgsFactory of Snakemake).
        options = ["--force", "--nolock", "--allowed-rules", rule, "--mode", "remote"]
        spec = f"{rule}:estimator=chord,{values}".rstrip(",")
        return snakemake(built, "-n", "--target-jobs", spec, *options, target=[])

    names = [f"corpora/tiny/index_{split}.json" for split in ("test", "train")]
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(changed(built / name, lambda text: "not an index"))
        for rule in ("setup", "prepare"):
            done = job(rule, track=track)
            assert done.returncode == 0, done.stderr
            assert re.search(rf"^{rule} +1$", done.stdout + done.stderr, re.M)
        for rule, name in zip(("evaluate", "train"), names, strict=True):
            done = job(rule)
            assert done.returncode == 1 and name in done.stdout + done.stderr
        assert "is not valid JSON" in refused(built)
    for rule in ("evaluate", "train"):
        assert job(rule).returncode == 0


def test_the_report_shows_what_was_made(built):
    done = snakemake(built, "--report", "report.html", target="all")
    assert done.returncode == 0, done.stderr
    report = (built / "report.html").read_text()
    figures = [f"{name}.svg" for name in ("curves", "scores", "confusion", "runtimes")]
    for name in (*figures, "tracks.html"):
        assert f"training/chord/resources/{name}" in report


def test_figures_are_of_the_jobs_that_ran_and_run_none(built):
    figure = built / "training" / "chord" / "resources" / "runtimes.svg"
    text = figure.read_text()
    expected = {"setup": TRAIN, "prepare": TRAIN, "train": 1, "evaluate": 1}
    for stage, jobs in expected.items():
        assert f">{stage} ({jobs})<" in text
    assert stale(built, target="all") == {}
    # Removed or rewritten benchmarks are no reason to run anything.
    logs = built / "logs" / "chord"
    away = logs.rename(logs.with_name("away"))
    try:
        assert stale(built, target="all") == {}
    finally:
        away.rename(logs)
    (logs / "train.tsv").touch()
    assert stale(built, target="all") == {}


def test_a_dry_run_says_why(built):
    def edit(text):
        return text.replace("epochs: 1", "epochs: 3")

    with changed(built / "config" / "tiny.yaml", edit):
        done = snakemake(built, "-n", target=TARGET)
    assert re.search(r"reason: .*Params have changed", done.stdout + done.stderr)


def test_a_test_track_that_is_left_out_trains_nothing_again(built):
    tiny = built / "corpora" / "tiny"
    used = training_tracks(built) + [
        row["track_id"] for row in json.loads((tiny / "index_test.json").read_text())
    ]
    other = next(p.stem for p in sorted(tiny.glob("*.flac")) if p.stem not in used)

    def add(text):
        return json.dumps([*json.loads(text), {"track_id": other, "group": other}])

    def leave_out(text):
        return text.replace("index:\n", f"index:\n  leave_out: [{other}]\n")

    with (
        changed(tiny / "index_test.json", add),
        changed(built / "config" / "tiny.yaml", leave_out),
    ):
        assert stale(built) == {"evaluate": 1}


def spoil(tiny):
    """Add six unusable tracks to the training index; return their names."""
    tracks = sorted(path.stem for path in tiny.glob("*.flac"))
    y, sample_rate = soundfile.read(tiny / f"{tracks[0]}.flac", dtype="float32")
    jam = jams.load(str(tiny / f"{tracks[0]}.jams"))
    nothing, bare = jams.JAMS(), jams.JAMS()
    nothing.file_metadata.duration = bare.file_metadata.duration = len(y) / sample_rate
    nothing.annotations.append(jams.Annotation("tag_open", duration=1))
    undefined = np.where(np.arange(len(y)) == 1000, np.nan, y)
    bad = {
        "silent": (0 * y, jam),
        "second": (y[:sample_rate], jam),
        "undefined": (undefined, jam),
        "namespace": (y, nothing),
        "bare": (y, bare),
        "truncated": (y, jam),
    }
    for name, (samples, annotations) in bad.items():
        # A WAV of that name can hold what FLAC cannot.
        path = tiny / f"{name}.flac"
        form = {"format": "WAV", "subtype": "FLOAT"} if name == "undefined" else {}
        soundfile.write(path, samples, sample_rate, **form)
        annotations.save(str(tiny / f"{name}.jams"))
    path = tiny / "truncated.flac"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    index = tiny / "index_train.json"
    records = json.loads(index.read_text())
    records += [{"track_id": name, "group": name} for name in bad]
    index.write_text(json.dumps(records))
    return sorted(bad)


def test_tracks_that_cannot_be_used_are_named_and_can_be_left_out(fresh):
    directory = fresh()
    bad = spoil(directory / "corpora" / "tiny")
    done = snakemake(directory, target=TARGET)
    assert done.returncode == 1
    _, summary = done.stderr.split("6 track(s) cannot be used:\n")
    lines = summary.splitlines()
    assert [line.strip().partition(":")[0] for line in lines[:6]] == bad
    for line, reason in zip(
        lines,
        ["no chord", "no chord", "less than", "silent", "truncated", "finite"],
        strict=False,
    ):
        assert reason in line
    features = directory / "work" / "chord" / "features"
    assert len(list(features.glob("*.h5"))) == 2 * TRAIN
    # With the suggested line, the run completes without repeating anything.
    overlay = directory / "config" / "tiny.yaml"
    (line,) = (line.strip() for line in lines if "leave_out: " in line)
    overlay.write_text(overlay.read_text().replace("index:\n", f"index:\n  {line}\n"))
    assert stale(directory) == {"train": 1, "evaluate": 1}
    assert snakemake(directory, target=TARGET).returncode == 0
    settings = directory / "training" / "chord" / "resources" / "settings.json"
    assert json.loads(settings.read_text())["options"]["leave_out"] == bad


def test_what_has_failed_is_due_until_it_is_done(built, tmp_path):
    """Snakemake would forget it if later results exist from before."""
    directory = shutil.copytree(built, tmp_path / "checkout", symlinks=True)
    assert stale(directory) == {}
    track = training_tracks(directory)[0]
    path = directory / "corpora" / "tiny" / f"{track}.flac"
    whole, before = path.read_bytes(), path.stat()
    path.write_bytes(whole[: len(whole) // 2])
    assert snakemake(directory, target=TARGET).returncode == 1
    # Restore it, as after a failure of the disk.
    path.write_bytes(whole)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    again = {"setup": 1, "prepare": 1, "train": 1, "evaluate": 1}
    assert stale(directory) == again
    # Once left out, the failed track has no effect.
    overlay = directory / "config" / "tiny.yaml"
    line = f'index:\n  leave_out: ["{track}"]\n'
    with changed(overlay, lambda text: text.replace("index:\n", line)):
        assert stale(directory) == {"train": 1, "evaluate": 1}
    with changed(overlay, lambda text: text.replace("duration: 1.0", "duration: 1000")):
        assert snakemake(directory, target=TARGET).returncode == 1
        assert stale(directory) == {"train": 1, "evaluate": 1}
    assert stale(directory) == {"train": 1, "evaluate": 1}
    done = snakemake(directory, target=TARGET)
    assert done.returncode == 0, done.stderr
    assert stale(directory) == {}


@contextlib.contextmanager
def running(directory, targets):
    """A run in a process of its own, which has begun but is not finished."""
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile"]
        + ["config/config.yaml", "config/tiny.yaml", "--"]
        + targets,
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    augmented = directory / "work" / "chord" / "augmented"
    deadline = time.time() + 120
    try:
        while len(list(augmented.glob("[!.]*.json"))) < 2:
            assert process.poll() is None and time.time() < deadline
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_second_run_at_the_same_time_is_refused(built, fresh):
    directory = fresh()
    targets = [f"work/chord/features/{name}.h5" for name in training_tracks(directory)]
    with running(directory, targets) as first:
        # A refused run must not remove the lock; downstream targets are refused, too.
        for target in (targets, TARGET):
            second = snakemake(directory, target=target)
            assert first.poll() is None
            assert second.returncode == 1
            assert "Directory cannot be locked" in second.stdout + second.stderr
        assert first.wait(timeout=600) == 0
    assert_same_features(built, directory)
    augmented = [one / "work" / "chord" / "augmented" for one in (built, directory)]
    for left, right in zip(*(sorted(a.iterdir()) for a in augmented), strict=True):
        assert left.name == right.name
        if left.suffix != ".flac":
            assert left.read_bytes() == right.read_bytes(), left.name
        else:
            np.testing.assert_array_equal(
                soundfile.read(left)[0], soundfile.read(right)[0]
            )
    # The lock ends with the run that held it.
    assert stale(directory) == {"train": 1, "evaluate": 1}
    assert stale(directory, target=targets) == {}


def test_a_killed_run_goes_on_and_loses_nothing(fresh):
    directory = fresh()
    targets = [f"work/chord/features/{name}.h5" for name in training_tracks(directory)]
    augmented = directory / "work" / "chord" / "augmented"
    with running(directory, targets):
        pass  # and then kill it
    records = {path: path.read_bytes() for path in augmented.glob("[!.]*.json")}
    assert snakemake(directory, "--unlock", target=TARGET).returncode == 0
    counts = stale(directory)
    # The running job and those that had not started remain to be done.
    assert 1 <= counts["setup"] <= TRAIN - 1
    done = snakemake(directory, target=targets)
    assert done.returncode == 0, done.stderr
    assert all(path.read_bytes() == text for path, text in records.items())
    assert stale(directory, target=targets) == {}


def test_batches_make_the_features_in_turn_and_the_last_one_trains(fresh):
    directory, model = fresh(), "training/chord/resources/model.h5"
    tracks = len(training_tracks(directory))
    # Batches split the inputs in the order of their names; the features come last.
    done = snakemake(directory, "--batch", "train=5/6", target=model)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    made = {path.name for path in (directory / "work/chord/features").glob("*.h5")}
    first = {name.partition(".")[0] for name in made}
    assert 0 < len(first) < tracks
    assert not (directory / model).exists()
    left = tracks - len(first)
    last = stale(directory, "--batch", "train=6/6", target=model)
    assert last == {"setup": left, "prepare": left, "train": 1}
    assert stale(directory, "--batch", "train=6/6") == last | {"evaluate": 1}


def training_tracks(directory):
    index = directory / "corpora" / "tiny" / "index_train.json"
    return [record["track_id"] for record in json.loads(index.read_text())]


# --- errors a user will meet ----------------------------------------------------------


def refused(directory, *options, target=TARGET):
    done = snakemake(directory, "-n", *options, target=target)
    assert done.returncode != 0
    return done.stdout + done.stderr


def configured(directory, settings):
    """Override the settings of a checkout, and restore them afterwards."""

    def edit(text):
        merged = yaml.safe_load(text)
        update_config(merged, yaml.safe_load(settings))
        return yaml.safe_dump(merged)

    return changed(directory / "config" / "tiny.yaml", edit)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("corpsu: {directory: x}", "'corpsu' is neither a setting nor an estimator .*"),
        ("gpus: 1", "'gpus' is neither a setting nor an estimator under training/ .*"),
        (
            "estimators: [kay]",
            r"estimators: 'kay' is not under training/ \(.*key.*\)",
        ),
        ("gpu: -1", "gpu: -1 is less than the minimum of 0"),
        ("chord:", "chord: is empty; give it a value or leave it out"),
        (
            "chord: {prepare: {hop_lenght: 1024}}",
            "chord.prepare: unknown key 'hop_lenght'; known: .*hop_length.*",
        ),
        (
            "chord: {prepare: {hop_length: 1984}}",
            "chord.prepare.hop_length: 1984 is not a multiple of 128",
        ),
        (
            "key: {prepare: {octaves: 8}}",
            "key.prepare.sample_rate: 22050 is not at least 35200 for 8 octaves",
        ),
        ("chord: {prepare: }", "chord.prepare: is empty; .*"),
        ("chord: {prepare: 5}", "chord.prepare: 5 is not of type 'object'"),
        (
            "chord: {train: {epochs: many}}",
            "chord.train.epochs: 'many' is not of type 'integer'",
        ),
        (
            "chord: {train: {learning_rate: 1e-4}}",
            "chord.train.learning_rate: '1e-4' is a string in YAML; write 0.0001",
        ),
        (
            "chord: {evaluate: {beside: [crema/models/chord]}}",
            "chord: evaluate: beside: crema/models/chord: is the estimator itself; .*",
        ),
        (
            "corpus: {audio_ext: .wav}",
            "corpus.audio_ext: '.wav' is not an extension without its dot",
        ),
        (
            "index: {train: 'x/{estimater}.json'}",
            "index.train: 'x/{estimater}.json' is not a path with no braces but "
            "those of {estimator}",
        ),
    ],
)
def test_configuration_errors_are_one_line(built, settings, message):
    with configured(built, settings):
        text = refused(built)
    assert re.search(f"^config: {message}$", text, re.M), text
    # Besides, Snakemake prints the files that it read and the line of the rules.
    assert len(text.splitlines()) < 10, text


def test_estimators_can_be_chosen(built):
    """Also where an index of another does not exist."""
    tiny = built / "corpora" / "tiny"
    shutil.copy(tiny / "index_train.json", tiny / "index_train_key.json")
    train = "corpora/tiny/index_train_{estimator}.json"
    with configured(built, f"estimators: [key]\nindex: {{train: '{train}'}}"):
        done = snakemake(built, "-n", "--quiet", "progress", target="all")
    assert done.returncode == 0, done.stderr
    planned = done.stdout + done.stderr
    assert "training/key/" in planned and "training/chord/" not in planned


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("corpus: {directory: nowhere}", "nowhere: the corpus directory cannot be"),
        (
            "corpus: {directory: ~/nowhere}",
            rf"{os.path.expanduser('~/nowhere')}: the corpus directory cannot be",
        ),
        ("corpus: {audio_ext: wav}", r"no pair of \*.wav and \*.jams"),
    ],
)
def test_a_corpus_that_is_not_there(built, settings, message):
    with configured(built, settings):
        assert re.search(message, refused(built))


def test_index_errors(built):
    tiny = built / "corpora" / "tiny"
    index = tiny / "index_train.json"
    test = (tiny / "index_test.json").read_text()

    def extra(record):
        return lambda text: json.dumps([*json.loads(text), record])

    shared, first = json.loads(test)[0], json.loads(index.read_text())[0]
    for record, message in [
        (
            shared,
            r"1 track\(s\) in both corpora/tiny/index_train.json and "
            "corpora/tiny/index_test.json",
        ),
        (first, "index_train.json: track .* is listed twice"),
        ({"track_id": "gone", "group": "gone"}, "gone without audio and annotation"),
        ({"track_id": "a.b", "group": "a"}, r"'a.b' cannot be used.*dots"),
    ]:
        with changed(index, extra(record)):
            assert re.search(message, refused(built))
    with changed(index, lambda text: "[]"):
        assert "a split must not be empty" in refused(built)
    with configured(built, "chord: {train: {validation_fraction: 0.9}}"):
        text = refused(built)
    assert re.search(
        rf"^holding out a share of 0.9 of {TRAIN} group\(s\) .*/{index.name} or",
        text,
        re.M,
    )


def test_a_target_for_an_unknown_track(built):
    text = refused(built, target="work/chord/features/nobody.h5")
    assert "track 'nobody' is not in corpora/tiny/index_train.json" in text


def test_a_lone_file_is_named(built):
    tiny = built / "corpora" / "tiny"
    name = training_tracks(built)[0]
    moved = tiny / f"{name}.jams.away"
    (tiny / f"{name}.jams").rename(moved)
    try:
        assert f"{name}.flac without annotation" in refused(built)
    finally:
        moved.rename(tiny / f"{name}.jams")
