"""Corpora: made here, audio whose annotation is known, or of what others have made.

==================  ============================================================
:mod:`.demo`        a small corpus of composed pieces, for trying everything out
:mod:`.pop909`      the POP909 songs, rendered with varied instruments
:mod:`.composed`    pieces in meters, idioms and chords that pop has few of
:mod:`.heard`       excerpts of recordings, annotated by a trained model
:mod:`.convert`     label files of chords, beats and keys to JAMS
:mod:`.mirdata`     data sets that mirdata knows, as pairs
:mod:`.charts`      beats of songs that were charted for a rhythm game
:mod:`.lmms`        beats of projects of LMMS, a program to make music with
:mod:`.pair`        pairs of audio and JAMS, checked and split by group

:mod:`.variation`   other keys and tempi for notes and their annotations
:mod:`.arrange`     bass and drums to add to a piece whose chords and beats are known
:mod:`.idioms`      fast rock, dance music, off-beats, rubato for such a piece
:mod:`.render`      notes to audio, through a SoundFont
:mod:`.voice`       notes to audio, sung
:mod:`.mix`         stems to one recording: levels, effects, tuning, room, codec
:mod:`.hearings`    what a model hears in a recording, changed in known ways
:mod:`.agreement`   where several hearings of one recording tell the same
:mod:`.labels`      label files read
:mod:`.common`      what the tools that make corpora have in common
==================  ============================================================

Each corpus is a directory of pairs ``track_id.flac`` and ``track_id.jams`` with an
``index_train.json`` and an ``index_test.json`` that share no group.
"""
