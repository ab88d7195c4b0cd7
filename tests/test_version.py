"""Versions: GIT-HASH.ITERATION, with no number assigned twice."""

import os
import subprocess

import pytest

from crema.exceptions import ModelError
from crema.utils import version


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one commit, isolated from the user's settings."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    directory = tmp_path / "repository"
    directory.mkdir()
    git(directory, "init", "-q")
    commit(directory, "first")
    return directory


def git(directory, *args):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    return subprocess.run(
        ["git", *identity, "-C", directory, *args],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def commit(directory, text):
    (directory / "code.py").write_text(text)
    git(directory, "add", "-A")
    git(directory, "commit", "-qm", text)
    return git(directory, "rev-parse", "HEAD")


def train(repository, resources, **record):
    return version.advance(resources, *version.revision(repository), record)


# --- revision -------------------------------------------------------------------------


def test_the_revision_is_that_of_the_checkout(repository):
    head = git(repository, "rev-parse", "HEAD")
    assert version.revision(repository) == (head[:7], False)
    (repository / "sub").mkdir()
    assert version.revision(str(repository / "sub")) == (head[:7], False)


def test_a_changed_tree_is_dirty(repository):
    (repository / "code.py").write_text("changed")
    assert version.revision(repository)[1]
    git(repository, "add", "-A")
    assert version.revision(repository)[1]
    commit(repository, "changed")
    assert not version.revision(repository)[1]


def test_a_file_that_git_does_not_know_is_dirty(repository):
    (repository / "new.py").touch()
    assert version.revision(repository)[1]
    (repository / ".gitignore").write_text("new.py\n")
    commit(repository, "ignored")
    assert not version.revision(repository)[1]


def test_outside_of_git(tmp_path, repository, monkeypatch):
    unknown = ("0000000", True)
    # pytest's directories could be inside a repository.
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    assert version.revision(tmp_path / "elsewhere") == unknown
    assert version.revision(tmp_path / "nowhere") == unknown
    git(tmp_path / "elsewhere", "init", "-q")
    assert version.revision(tmp_path / "elsewhere") == unknown
    monkeypatch.setenv("PATH", "")
    assert version.revision(repository) == unknown


# --- iterations -----------------------------------------------------------------------


def test_iterations_count_the_trainings_at_a_revision(repository, tmp_path):
    resources = tmp_path / "resources"
    first = version.revision(repository)[0]
    assert train(repository, resources, loss=1.5) == f"{first}.0"
    assert train(repository, resources) == f"{first}.1"
    second = commit(repository, "second")[:7]
    assert train(repository, resources) == f"{second}.0"
    git(repository, "checkout", "-q", first)
    assert train(repository, resources) == f"{first}.2"
    assert (resources / "version.txt").read_text() == f"{first}.2\n"
    lines = version.trainings(resources)
    assert [line["version"] for line in lines] == [
        f"{first}.0",
        f"{first}.1",
        f"{second}.0",
        f"{first}.2",
    ]
    assert lines[0] == {"version": f"{first}.0", "loss": 1.5}


def test_a_dirty_tree_is_marked_and_counted(repository, tmp_path):
    first = version.revision(repository)[0]
    assert train(repository, tmp_path) == f"{first}.0"
    (repository / "code.py").write_text("changed")
    assert train(repository, tmp_path) == f"{first}.1+dirty"
    git(repository, "checkout", "-q", ".")
    assert train(repository, tmp_path) == f"{first}.2"


def test_the_count_survives_a_workflow_that_deletes_the_version(repository, tmp_path):
    first = version.revision(repository)[0]
    train(repository, tmp_path)
    (tmp_path / "version.txt").unlink()
    assert train(repository, tmp_path) == f"{first}.1"


def test_a_version_without_ledger_counts_as_one_training(repository, tmp_path):
    first = version.revision(repository)[0]
    (tmp_path / "version.txt").write_text(f"{first}.3+dirty\n")
    assert train(repository, tmp_path) == f"{first}.4"
    assert len(version.trainings(tmp_path)) == 2


def test_a_version_of_another_kind_is_no_hindrance(repository, tmp_path):
    (tmp_path / "version.txt").write_text("v2-final\n")
    assert train(repository, tmp_path) == f"{version.revision(repository)[0]}.0"


def test_without_git_versions_still_count(tmp_path):
    assert version.advance(tmp_path, "0000000", True, {}) == "0000000.0+dirty"
    assert version.advance(tmp_path, "0000000", True, {}) == "0000000.1+dirty"


def test_the_count_goes_on_after_nine(tmp_path):
    for number in range(12):
        assert version.advance(tmp_path, "abc1234", False, {}) == f"abc1234.{number}"


def test_a_crash_between_ledger_and_version_repeats_no_number(tmp_path, monkeypatch):
    version.advance(tmp_path, "abc1234", False, {})
    original = version.disk.write_text

    def crash(path, text):
        if path.name == "version.txt":
            raise KeyboardInterrupt
        original(path, text)

    monkeypatch.setattr(version.disk, "write_text", crash)
    with pytest.raises(KeyboardInterrupt):
        version.advance(tmp_path, "abc1234", False, {})
    monkeypatch.undo()
    assert version.advance(tmp_path, "abc1234", False, {}) == "abc1234.2"


@pytest.mark.parametrize(
    "line", ["{", "[]", "{}", '{"version": 5}', '{"version": "abc1234"}']
)
def test_a_damaged_ledger_says_what_to_do(tmp_path, line):
    (tmp_path / version.LEDGER).write_text(f"{line}\n")
    with pytest.raises(ModelError, match="is damaged; delete it"):
        version.trainings(tmp_path)


def test_no_training_yet(tmp_path):
    assert version.trainings(tmp_path) == []
    assert version.trainings(str(tmp_path)) == []
