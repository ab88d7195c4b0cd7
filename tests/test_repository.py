"""Statements of the repository about itself are consistent."""

import importlib.metadata
import pathlib
import re
import subprocess
import tomllib

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[1]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(python="3.11"):
    """Return the version of each package of the lock for `python`."""
    from packaging.markers import default_environment
    from packaging.requirements import Requirement

    environment = default_environment() | {
        "python_full_version": f"{python}.0",
        "python_version": python,
    }
    found = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            found[canonical(requirement.name)] = str(requirement.specifier)[2:]
    return found


def declared():
    """Return the requirements of pyproject.toml, by extra."""
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {
        extra: {
            canonical(Requirement(line).name): Requirement(line).specifier
            for line in lines
        }
        for extra, lines in groups.items()
    }


def test_the_lock_satisfies_pyproject():
    lock = locked()
    for requirements in declared().values():
        for name, specifier in requirements.items():
            assert specifier.contains(lock[name]), name


def test_the_lock_leaves_out_what_overwrites_soundfile():
    assert "pysoundfile" not in locked()
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("pysoundfile")


def test_the_conda_environment_is_in_step_with_the_lock():
    environment = yaml.safe_load((ROOT / "envs" / "training.yaml").read_text())
    lines = environment["dependencies"][-1]["pip"]
    pins = dict(line.split("==") for line in lines)
    lock = locked()
    assert {canonical(name): version for name, version in pins.items()} == {
        canonical(name): lock[canonical(name)] for name in pins
    }
    wanted = set().union(*(declared()[extra] for extra in ("", "training", "corpus")))
    # Snakemake and its report run outside of this environment.
    assert {canonical(name) for name in pins} == wanted - {"snakemake", "pygments"}
    script = (ROOT / "envs" / "training.post-deploy.sh").read_text()
    assert f"soundfile=={lock['soundfile']}" in script


@pytest.mark.parametrize("estimator", sorted((ROOT / "training").glob("*/")))
def test_training_requirements_are_those_of_pyproject(estimator):
    from packaging.requirements import Requirement

    path = estimator / "requirements.txt"
    if not path.is_file():
        pytest.skip(f"{estimator.name} is no estimator")
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            name = canonical(requirement.name)
            assert declared()["training"][name] == requirement.specifier


def test_the_first_two_commands_of_the_readme_are_targets():
    readme = (ROOT / "README.md").read_text()
    block = re.search(r"```sh\n(.*?)```", readme, re.S)[1]
    commands = [line.split("#")[0].strip() for line in block.splitlines()]
    assert commands == ["make", "make test"]
    for target in ("demo", "test"):
        done = subprocess.run(
            ["make", "-n", target], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_links_between_documents_lead_somewhere():
    for document in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("training/**/*.md"),
    ]:
        for link in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
            assert (document.parent / link).exists(), f"{document}: {link}"


def test_profiles_are_yaml():
    for profile in (ROOT / "profiles").glob("*/profile.yaml"):
        assert yaml.safe_load(profile.read_text())["rerun-incomplete"] is True


def test_networks_leave_the_choice_of_the_backend_to_keras():
    for path in [*ROOT.glob("crema/**/*.py"), *ROOT.glob("training/*/*.py")]:
        imported = re.findall(r"^\s*(?:import|from) (\w+)", path.read_text(), re.M)
        assert path == ROOT / "crema" / "backend.py" or "tensorflow" not in imported
