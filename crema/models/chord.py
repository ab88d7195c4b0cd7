"""Chords: posteriors over 170 tags and over root, bass and pitch classes; decoding.

Labels are in Harte syntax.  A tag is a root with one of 14 qualities, ``N`` (no chord)
or ``X`` (a chord outside the vocabulary).  If the bass output finds another tone of the
chord in the bass, the decoded tag becomes an inversion.
"""

import bisect
import itertools

import jams
import mir_eval
import numpy as np

from crema import notes, segments
from crema.models import base
from crema.notes import PITCH_CLASSES

#: Scale degree of each interval above the root, by its number of semitones.
DEGREES = ("1", "b2", "2", "b3", "3", "4", "b5", "5", "b6", "6", "b7", "7")

#: Largest distance from a beat, in seconds, at which a change moves to it: about one
#: frame, and less than the distance of a syncopation from the next beat.
REACH = 0.1
#: Exponent of the confidence, see :func:`crema.segments.confidence`.
POWER = 0.65
#: Weight of root, bass and pitch classes relative to the tags; measured on held-out
#: tracks.
STRUCTURE_WEIGHT = 0.3
#: Their posteriors are clipped this far from 0 and 1.
FLOOR = 1e-3


class Model(base.Estimator):
    """The chord estimator.

    Its outputs are ``chord_tag.chord`` (170 tags), ``chord_struct.pitch`` (12 pitch
    classes, independent), ``chord_struct.root`` and ``chord_struct.bass`` (C to B, and
    none), of shape ``(n_frames, n_classes)``.
    """

    def __init__(self, directory):
        super().__init__(directory)
        self.tag_self_transition = self.probability("tag_self_transition")
        self.bass_self_transition = self.probability("bass_self_transition")
        labels = self.task.labels
        self.known = np.flatnonzero([label != "X" for label in labels])
        self.structure = structure([labels[number] for number in self.known])

    @property
    def classes(self):
        """Dict of str to list of str: labels of the classes of each output."""
        return {
            self.output_names[0]: self.task.labels,
            "chord_struct.pitch": [*PITCH_CLASSES],
            "chord_struct.root": [*PITCH_CLASSES, "N"],
            "chord_struct.bass": [*PITCH_CLASSES, "N"],
        }

    def decode(self, outputs, duration):
        """Decode tags by Viterbi, then the bass within each segment of one tag.

        The confidence is that of the tag.
        """
        tags = segments.annotate(
            self.task.namespace,
            self.together(outputs),
            self.task.labels,
            self.tag_self_transition,
            self.hop,
            duration,
            power=POWER,
        )
        inverted = add_inversions(
            tags,
            outputs["chord_struct.bass"],
            self.bass_self_transition,
            self.hop,
        )
        return [inverted]

    def together(self, outputs):
        """Weight the tags by the posteriors of their roots, basses and tones.

        A rare tag can be easy to recognise by its tones.  The outputs, each trained on
        its own target, are multiplied as a product of experts.

        Parameters
        ----------
        outputs : dict of np.ndarray
            Posteriors by name.

        Returns
        -------
        np.ndarray, shape=(n_frames, 170)
            Posteriors of the tags.  That of X, which has no root and no tones, is
            unchanged.

        References
        ----------
        G. E. Hinton, "Training products of experts by minimizing contrastive
        divergence", Neural Computation, 2002.
        """
        roots, basses, tones = self.structure
        root, bass, pitch = (
            np.clip(outputs[f"chord_struct.{name}"], FLOOR, 1 - FLOOR)
            for name in ("root", "bass", "pitch")
        )
        evidence = np.log(root[:, roots]) + np.log(bass @ basses.T)
        evidence += np.log(pitch / (1 - pitch)) @ tones.T
        evidence -= evidence.max(axis=1, keepdims=True)
        tags = np.array(outputs[self.output_names[0]])
        weight = (tags[:, self.known] + 1e-9) * np.exp(STRUCTURE_WEIGHT * evidence)
        share = tags[:, self.known].sum(axis=1, keepdims=True)
        tags[:, self.known] = weight * share / weight.sum(axis=1, keepdims=True)
        return tags

    def revise(self, made):
        """Move chord changes to nearby beats, and spell chords as their key does.

        Each only if that estimator runs beside this one.
        """
        (chords,) = made[self.name]
        if "beat" in made:
            beats = made["beat"][0]
            chords = segments.align(chords, [beat.time for beat in beats.data], REACH)
            chords.sandbox.update(beats=beats.sandbox.model)
        if "key" in made:
            keys = made["key"][1]
            chords = spell(chords, keys)
            chords.sandbox.update(local_keys=keys.sandbox.model)
        return [chords]


def structure(labels):
    """Return roots, possible basses and tones of chords.

    Parameters
    ----------
    labels : list of str
        Chords in root position, and N.

    Returns
    -------
    roots : np.ndarray, shape=(n_labels,), dtype=int
        0 (C) to 11 (B), and 12 for N.
    basses : np.ndarray, shape=(n_labels, 13)
        1 for each possible bass: the tones of a chord, and 12 (none) for N.
    tones : np.ndarray, shape=(n_labels, 12)
        1 for each pitch class of the chord.
    """
    roots, intervals, _ = mir_eval.chord.encode_many(labels)
    tones = np.array(list(map(np.roll, intervals, roots)), dtype=float)
    none = tones.sum(axis=1, keepdims=True) == 0
    return np.where(roots < 0, 12, roots), np.hstack([tones, none]), tones


def add_inversions(annotation, bass, self_transition, hop):
    """Split the segments of a chord annotation where the bass changes.

    Parameters
    ----------
    annotation : jams.Annotation
        Chords in root position.
    bass : np.ndarray, shape=(n_frames, 13)
        Posteriors of the bass pitch class.
    self_transition : float
        Probability that the bass stays the same from one frame to the next.
    hop : float
        Seconds between frames.

    Returns
    -------
    jams.Annotation
        Segments with their most probable bass, by Viterbi decoding over the tones of
        the chord.
    """
    result = jams.Annotation(
        annotation.namespace, time=annotation.time, duration=annotation.duration
    )
    last = len(bass)
    for observation in annotation.data:
        begin, stop = observation.time, observation.time + observation.duration
        start = min(frame_at(begin, hop), last - 1)
        end = max(start + 1, min(frame_at(stop, hop), last))
        if stop >= annotation.duration:
            end = last
        root, tones, _ = mir_eval.chord.encode(observation.value)
        intervals = np.flatnonzero(tones)
        if root < 0:  # N and X have no bass
            result.append(*observation)
            continue
        # The floor keeps single frames without any of the tones from deciding.
        probability = bass[start:end, (root + intervals) % 12] + 1e-6
        path = segments.best_path(probability, self_transition)
        places = np.add(start, segments.edges(probability, path))
        times = [begin, *np.minimum(places[1:-1] * hop, stop), stop]
        for (first, _), (left, right) in zip(
            segments.runs(path), itertools.pairwise(times), strict=True
        ):
            interval = intervals[path[first]]
            inversion = f"/{DEGREES[interval]}" if interval else ""
            result.append(
                time=float(left),
                duration=float(right - left),
                value=observation.value + inversion,
                confidence=observation.confidence,
            )
    return result


def spell(chords, keys):
    """Spell the root of each chord as in the key in which it begins.

    Parameters
    ----------
    chords : jams.Annotation
        Namespace ``chord``.
    keys : jams.Annotation
        Namespace ``key_mode``, in the order of time.

    Returns
    -------
    jams.Annotation
    """
    result = segments.without_data(chords)
    begins = [key.time for key in keys.data]
    names = [notes.names(key.value) for key in keys.data]
    for chord in chords.data:
        root, rest = notes.split(chord.value)
        label = chord.value
        if root is not None:
            place = bisect.bisect_right(begins, chord.time) - 1
            label = names[place][root] + rest
        result.append(chord.time, chord.duration, label, chord.confidence)
    return result


def frame_at(time, hop):
    """Return the frame at which a change at `time` is first seen."""
    return int(time / hop + 1e-6)
