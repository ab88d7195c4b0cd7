"""Store what the released models say of a few composed clips.

python -m tests.golden      # after a release, or when a change of output is meant

``tests/test_released.py`` compares with it, so that a library that changes what crema
hears is noticed.
"""

from crema.utils import disk
from tests.golden import CLIPS, annotations, path

for clip in CLIPS:
    disk.write_json(path(clip), annotations(clip))
    print(path(clip))
