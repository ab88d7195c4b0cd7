"""Create a new estimator: a working copy of templates/estimator to adapt.

python templates/new.py NAME

writes training/NAME/, with the indexes of the demo corpus, crema/tasks/NAME.py and
crema/models/NAME.py, and adds a section to config/config.yaml.  Unchanged, the copy
estimates the root of the chord at each frame.
"""

import argparse
import keyword
import pathlib
import re

from crema.corpus import demo
from crema.exceptions import ConfigError, program
from crema.utils import disk

TEMPLATE = pathlib.Path(__file__).with_name("estimator")
#: Files that do not go to training/NAME.
ELSEWHERE = {"tasks.py": "crema/tasks", "model.py": "crema/models"}


def instantiate(name, root):
    """Write the files of a new estimator into a checkout.

    Parameters
    ----------
    name : str
        A lower-case Python identifier.
    root : pathlib.Path
        The checkout.

    Returns
    -------
    list of pathlib.Path
        The files written.

    Raises
    ------
    ConfigError
        `name` is not allowed, or is already in use.
    """
    settings = root / "config" / "config.yaml"
    keys = re.findall(r"^(\w+):", settings.read_text(encoding="utf-8"), re.M)
    taken = {*keyword.kwlist, *keys}
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or name in taken:
        raise ConfigError(
            f"{name!r} cannot name an estimator: use lower-case letters, digits and _, "
            "starting with a letter, and no Python keyword or key of "
            "config/config.yaml"
        )
    targets = {
        source: root / ELSEWHERE[source.name] / f"{name}.py"
        if source.name in ELSEWHERE
        else root / "training" / name / source.name
        for source in sorted(TEMPLATE.iterdir())
        if source.suffix in {".py", ".yaml", ".md", ".txt"}
    }
    for target in targets.values():
        if target.exists():
            raise ConfigError(f"{target}: already exists; choose another name")
    for source, target in targets.items():
        text = source.read_text(encoding="utf-8").replace("NAME", name)
        if source.name == "config.yaml":
            targets[source] = target = settings
            text = settings.read_text(encoding="utf-8") + text
        disk.write_text(target, text)
    demo.write_indexes(root / "training" / name)
    return list(targets.values())


def main(argv=None):
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="name of the estimator, such as meter")
    args = parser.parse_args(argv)
    for path in instantiate(args.name, pathlib.Path(__file__).resolve().parents[1]):
        print(path)


if __name__ == "__main__":
    program(main)
