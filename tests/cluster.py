"""The workflow on a real SLURM, started on this machine and stopped afterwards.

``make test-cluster`` runs this, as root on Debian; it installs slurm-wlm and munge if
they are missing.  Everywhere else it is skipped, with the reason.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest
import yaml
from conftest import TRAIN, assert_same_features, git, snakemake
from test_train import assert_same_weights

from crema.utils import disk

#: Jobs find only this configuration: the executor hides SLURM's variables from them.
CONFIGURATION = pathlib.Path("/etc/slurm/slurm.conf")
TARGET = "training/chord/resources/test_data.json"
RESOURCES = pathlib.Path(TARGET).parent

SLURM_CONF = """\
ClusterName=crema
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
# cred_expire: seconds until a job that was queued again may start.
AuthInfo=socket={directory}/munge.socket,cred_expire=5
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd.pid
SlurmctldLogFile={directory}/slurmctld.log
SlurmdLogFile={directory}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MpiDefault=none
SchedulerParameters=sched_interval=2,bf_interval=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={megabytes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def program(name):
    """Return the path of a daemon, if it is installed."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def install():
    """Install what is missing, or skip."""
    if program("slurmctld") and program("munged"):
        return
    if not program("apt-get"):
        pytest.skip("no SLURM here, and no apt-get to install it with")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "-y", "-qq", "-o", "Acquire::http::Timeout=20"]
    try:
        subprocess.run([*command, "update"], capture_output=True, timeout=120)
        subprocess.run(
            [*command, "install", "--no-install-recommends", "slurm-wlm", "munge"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
    except subprocess.SubprocessError as error:
        why = (getattr(error, "stderr", None) or str(error)).strip()
        pytest.skip(f"SLURM cannot be installed: {why[-200:]}")


def control(*words):
    """Run one of SLURM's programs; return what it prints."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


@pytest.fixture(scope="session", autouse=True)
def slurm(tmp_path_factory):
    """A SLURM of one node, this machine."""
    if os.geteuid():
        pytest.skip("only root can start a SLURM")
    if CONFIGURATION.exists():
        pytest.skip(f"{CONFIGURATION} is there, and its SLURM is left alone")
    install()
    directory = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (directory / name).mkdir()
    key = directory / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    page = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    settings = SLURM_CONF.format(
        host=os.uname().nodename.partition(".")[0],
        directory=directory,
        cpus=os.cpu_count(),
        megabytes=int(0.9 * page / 2**20),
    )
    CONFIGURATION.parent.mkdir(exist_ok=True)
    CONFIGURATION.write_text(settings)
    munge = [program("munged"), "--foreground", "--force", f"--key-file={key}"]
    for name in ("socket", "pid-file", "seed-file", "log-file"):
        munge.append(f"--{name}={directory}/munge.{name.partition('-')[0]}")
    daemons = []
    try:
        for command in (munge, [program("slurmctld"), "-D"], [program("slurmd"), "-D"]):
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            daemons.append(subprocess.Popen(command, **quiet))
            time.sleep(1)
        if not holds(lambda: control("sinfo", "-h", "-o", "%T") == "idle", 60):
            said = [log.read_text()[-500:] for log in directory.glob("*.log")]
            pytest.skip("SLURM does not start here: " + "\n".join(said))
        yield
    finally:
        control("scancel", "--user=root")
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(timeout=60)
        CONFIGURATION.unlink()


def holds(condition, seconds):
    """Wait until `condition` holds, at most `seconds`; return whether it does."""
    deadline = time.time() + seconds
    while not (held := condition()) and time.time() < deadline:
        time.sleep(0.2)
    return held


#: Weights and posteriors are equal to the last bit for equal numbers of threads.
LOCAL = ("--cores", "1", "--set-threads", "train=1", "evaluate=1")
#: Its jobs take seconds, not minutes.
POLL = ("--slurm-init-seconds-before-status-checks", "3")
CLUSTER = ("--workflow-profile", "profiles/slurm", *LOCAL, *POLL)


def submitted(done):
    """Return how many jobs a run has submitted."""
    return (done.stdout + done.stderr).count("submitted with SLURM jobid")


@pytest.fixture(scope="module")
def local(fresh):
    """A checkout in which the workflow has run on this machine, one thread a job."""
    directory = fresh()
    done = snakemake(directory, *LOCAL, target=TARGET)
    assert done.returncode == 0, done.stderr[-3000:]
    return directory


def test_a_cluster_computes_the_same(fresh, local, tmp_path):
    directory = fresh()
    scratch = ["--default-resources", f"tmpdir='{tmp_path}'"]
    done = snakemake(directory, *CLUSTER, *scratch, target=TARGET)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    # One each for tracks, training and evaluation.
    assert submitted(done) == 3
    assert_same_features(local, directory)
    assert_same_weights(local / RESOURCES, directory / RESOURCES)
    here, there = (disk.read_json(one / TARGET) for one in (local, directory))
    for part in ("summary", "tracks", "calibration"):
        assert here[part] == there[part]
    for log in ("setup/*.log", "prepare/*.log", "train.log", "evaluate.log"):
        logs = list((directory / "logs" / "chord").glob(log))
        assert len(logs) == (TRAIN if "*" in log else 1)
    # Nothing is left to do, on the cluster or locally.
    for options in (CLUSTER, ()):
        again = snakemake(directory, *options, target=TARGET)
        assert "Nothing to be done" in again.stdout + again.stderr


def test_a_job_that_fails_names_its_track_and_its_log(fresh):
    directory = fresh()
    audio = sorted((directory / "corpora" / "tiny").glob("*.flac"))[0]
    audio.write_bytes(audio.read_bytes()[:5000])
    options = [*CLUSTER, "--retries", "0"]
    done = snakemake(directory, *options, target=TARGET)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"logs/chord/setup/{audio.stem}.log" in said
    assert "truncated" in (directory / f"logs/chord/setup/{audio.stem}.log").read_text()
    made = {path.stem for path in (directory / "work/chord/features").glob("*.h5")}
    # The next run finishes the interrupted group.
    assert audio.stem not in made


@pytest.mark.parametrize("how", [["scontrol", "requeue"], ["scancel", "--signal=TERM"]])
def test_a_training_that_loses_its_node_goes_on(fresh, local, how):
    directory = fresh()
    for place in (directory, local):
        overlay = place / "config" / "tiny.yaml"
        settings = yaml.safe_load(overlay.read_text())
        settings["chord"]["train"] |= {"epochs": 6, "steps_per_epoch": 20}
        overlay.write_text(yaml.safe_dump(settings))
    done = snakemake(local, *LOCAL, target=TARGET)
    assert done.returncode == 0, done.stderr[-3000:]
    command = [sys.executable, "-m", "snakemake", *CLUSTER, "--configfile"]
    command += ["config/config.yaml", "config/tiny.yaml", "--", TARGET]
    log = directory / "logs" / "chord" / "train.log"
    run = subprocess.Popen(
        command,
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert holds(lambda: log.exists() and "Epoch 2/" in log.read_text(), 300)
        (job,) = control("squeue", "-h", "-o", "%i", "-t", "R").split()
        subprocess.run([*how, job], check=True, timeout=60)
        said, _ = run.communicate(timeout=400)
    finally:
        run.kill()
    assert run.returncode == 0, said[-3000:]
    assert "resuming after epoch" in log.read_text()
    assert_same_weights(local / RESOURCES, directory / RESOURCES)


def test_the_demo_takes_few_jobs(fresh):
    directory = fresh()
    overlay = directory / "config" / "tiny.yaml"
    overlay.write_text(
        "chord: {setup: {semitones: [-1]}, train: {epochs: 1, steps_per_epoch: 4}}\n"
    )
    git(directory, "commit", "-qam", "the demo corpus, fewer copies and epochs")
    options = ["--workflow-profile", "profiles/slurm", "--cores", str(os.cpu_count())]
    done = snakemake(directory, *options, target=TARGET)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    # 40 tracks: the corpus, three groups of twelve, the training, the evaluation.
    assert submitted(done) <= 6
    assert disk.read_json(directory / TARGET)["summary"]
