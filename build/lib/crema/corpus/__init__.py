"""Corpora: made here, audio whose annotation is known, or of what others have made.

================  ==============================================================
:mod:`.render`    notes to audio, through a SoundFont
:mod:`.arrange`   bass and drums to add to a piece whose chords and beats are known
:mod:`.demo`      a small corpus of composed pieces, for trying everything out
:mod:`.pop909`    the POP909 songs, rendered with varied instruments
:mod:`.convert`   label files of chords, beats and keys to JAMS
:mod:`.mirdata`   data sets that mirdata knows, as pairs
:mod:`.pair`      pairs of audio and JAMS, checked and split by group
================  ==============================================================

Each corpus is a directory of pairs ``track_id.flac`` and ``track_id.jams`` with an
``index_train.json`` and an ``index_test.json`` that share no group.
"""
