"""Chords: posteriors over 170 tags and over root, bass and pitch classes; decoding.

Labels are in Harte syntax.  A tag is a root and one of 14 qualities, ``N`` (no chord)
or ``X`` (a chord outside the vocabulary).  The bass output turns a decoded tag into an
inversion where the bass is another tone of the chord.
"""

import itertools

import jams
import mir_eval
import numpy as np

from crema import segments
from crema.models import base
from crema.notes import PITCH_CLASSES

#: Scale degree of each interval above the root, in semitones, that a chord can have.
DEGREES = ("1", "b2", "2", "b3", "3", "4", "b5", "5", "b6", "6", "b7", "7")

#: How far from a beat, in seconds, a change is taken to be one on it: about a frame,
#: and less than what lies between a beat and the syncopation before it.
REACH = 0.1
#: What root, bass and pitch classes weigh beside the tags, which weigh 1; measured on
#: tracks that are held out of training.
STRUCTURE_WEIGHT = 0.3
#: Below this, and above 1 less it, they are not believed.
FLOOR = 1e-3


class ChordModel(base.Estimator):
    """The chord estimator.

    Its outputs are ``chord_tag.chord`` (170 tags), ``chord_struct.pitch`` (12 pitch
    classes, independent), ``chord_struct.root`` and ``chord_struct.bass`` (C to B, and
    none), of shape ``(n_frames, n_classes)``.
    """

    def __init__(self, directory):
        super().__init__(directory)
        self.task.set_transition(self.probability("tag_self_transition"))
        self.bass_self_transition = self.probability("bass_self_transition")
        labels = self.task.labels
        self.known = np.flatnonzero([label != "X" for label in labels])
        self.structure = structure([labels[number] for number in self.known])

    @property
    def classes(self):
        """Dict of str to list of str: what the classes of each output stand for."""
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
        tags = self.task.inverse(self.together(outputs), duration=duration)
        inverted = add_inversions(
            tags,
            outputs["chord_struct.bass"],
            self.bass_self_transition,
            self.task.hop_length / self.task.sr,
        )
        return [inverted]

    def together(self, outputs):
        """Weigh the tags by what the other outputs say of their roots and tones.

        Each output was trained on its own question, and a tag that is rare may be well
        told by its tones.  They are experts whose opinions are multiplied.

        Parameters
        ----------
        outputs : dict of np.ndarray
            Posteriors by name.

        Returns
        -------
        np.ndarray, shape=(n_frames, 170)
            Posteriors of the tags.  That of X, which has no root and no tones, is as it
            was.

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
        said = np.log(root[:, roots]) + np.log(bass @ basses.T)
        said += np.log(pitch / (1 - pitch)) @ tones.T
        said -= said.max(axis=1, keepdims=True)
        tags = np.array(outputs[self.output_names[0]])
        weight = (tags[:, self.known] + 1e-9) * np.exp(STRUCTURE_WEIGHT * said)
        share = tags[:, self.known].sum(axis=1, keepdims=True)
        tags[:, self.known] = weight * share / weight.sum(axis=1, keepdims=True)
        return tags

    def revise(self, made):
        """Have chords change on beats, where these are known."""
        (chords,) = made[self.name]
        if "beat" not in made:
            return [chords]
        beats = made["beat"][0]
        aligned = segments.align(chords, [beat.time for beat in beats.data], REACH)
        aligned.sandbox.update(beats=beats.sandbox.model)
        return [aligned]


Model = ChordModel


def structure(labels):
    """Take chords apart.

    Parameters
    ----------
    labels : list of str
        Chords in root position, and N.

    Returns
    -------
    roots : np.ndarray, shape=(n_labels,), dtype=int
        0 (C) to 11 (B), and 12 where there is none.
    basses : np.ndarray, shape=(n_labels, 13)
        1 for each pitch class that can be the bass: the tones, and none of N.
    tones : np.ndarray, shape=(n_labels, 12)
        1 for each pitch class that sounds.
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
        Probability that the bass goes on from one frame to the next.
    hop : float
        Seconds between frames.

    Returns
    -------
    jams.Annotation
        Each segment carries the bass, one of the tones of its chord, that is most
        probable in it by Viterbi decoding.
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
        # The floor keeps a frame that hears none of the tones from deciding.
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


def frame_at(time, hop):
    """Return the frame at which a change at `time` is seen first."""
    return int(time / hop + 1e-6)
