"""Splitting a corpus into training and test tracks, by group."""

import collections
import re

from crema.exceptions import ConfigError, CorpusError
from crema.utils import rng

#: Deviation from the test fraction beyond which another seed is suggested.
CLOSE = 0.05
#: Number of seeds to try for a suggestion.
SEEDS = 50


def grouping(group_by):
    """Return a function that finds the group of a track.

    Parameters
    ----------
    group_by : str
        ``artist`` or ``release`` from the JAMS file, or the track id where that is
        empty; ``track``; or a regular expression with one capturing group, searched for
        in the track id.

    Returns
    -------
    callable
        Takes a track id and its :class:`crema.corpus.pair.Track`; returns the group, or
        None if the regular expression does not match.

    Raises
    ------
    ConfigError
        `group_by` is none of these.
    """
    if group_by in {"artist", "release"}:
        return lambda track_id, track: getattr(track, group_by) or track_id
    if group_by == "track":
        return lambda track_id, _: track_id
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise ConfigError(f"--group-by {group_by}: {error}") from error
    if pattern.groups != 1:
        raise ConfigError(
            f"--group-by {group_by}: is neither artist, release or track nor a regular "
            "expression with one group, such as '^([^_]+)_'"
        )

    def match(track_id, _):
        found = pattern.search(track_id)
        return found[1] or None if found else None

    return match


def is_test(group, test_fraction, seed):
    """Return whether a group belongs to the test side.

    Parameters
    ----------
    group : str
        Name of the group.
    test_fraction : float
        Probability of the test side.
    seed : int
        Seed of the split.

    Returns
    -------
    bool
    """
    return rng.generator(seed, "test split", group).random() < test_fraction


def split(groups, test_fraction, seed):
    """Split tracks by group.

    Parameters
    ----------
    groups : dict of str to str
        The group of each track.
    test_fraction : float
        Expected share of test tracks.
    seed : int
        Seed of the split; see :func:`is_test`.

    Returns
    -------
    test : set of str
        The test tracks.
    closer : (int, float) or None
        If `seed` misses the fraction by more than :data:`CLOSE`: a seed that comes
        closer and its share of test tracks, if one is found.

    Raises
    ------
    CorpusError
        There is only one group.
    ConfigError
        `test_fraction` is not between 0 and 1, or one side would be empty.
    """
    if not 0 < test_fraction < 1:
        raise ConfigError(f"--test-fraction {test_fraction:g} is not between 0 and 1")
    sizes = collections.Counter(groups.values())
    if len(sizes) < 2:
        raise CorpusError(
            f"{len(groups)} usable track(s), all in one group ({next(iter(sizes))!r}), "
            "which cannot be split; choose other groups with --group-by, or add "
            "tracks of another group"
        )

    def share(seed):
        return sum(
            n for group, n in sizes.items() if is_test(group, test_fraction, seed)
        ) / len(groups)

    test_share, closer = share(seed), None
    if abs(test_share - test_fraction) > CLOSE or test_share in {0, 1}:
        shares = {other: share(other) for other in range(SEEDS)}
        possible = [other for other in shares if 0 < shares[other] < 1]
        best = min(possible, key=lambda s: abs(shares[s] - test_fraction), default=None)
        if test_share in {0, 1}:
            remedy = "choose another --test-fraction"
            if possible:
                remedy = (
                    f"use --seed {best}, which puts {shares[best]:.0%} of them in the "
                    "test set"
                )
            raise ConfigError(
                f"--seed {seed} puts all {len(groups)} tracks, of {len(sizes)} groups, "
                f"on one side of the split; {remedy}"
            )
        miss = abs(test_share - test_fraction)
        if possible and abs(shares[best] - test_fraction) < miss:
            closer = best, shares[best]
    test = {
        track for track, group in groups.items() if is_test(group, test_fraction, seed)
    }
    return test, closer
