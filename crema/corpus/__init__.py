"""Make corpora of audio and annotations, by synthesis or from existing data.

==================  ============================================================
:mod:`.demo`        a small corpus of composed pieces, for trying everything out
:mod:`.pop909`      the POP909 songs, rendered with varied instruments
:mod:`.composed`    pieces with meters, idioms and chords that are rare in pop
:mod:`.heard`       excerpts of recordings, labelled by trained models
:mod:`.convert`     label files of chords, beats and keys to JAMS
:mod:`.mirdata`     data sets that mirdata supports, as pairs
:mod:`.charts`      beats of songs that were charted for a rhythm game
:mod:`.lmms`        beats of projects of LMMS, a music production program
:mod:`.pair`        check pairs of audio and JAMS, split them by group

:mod:`.variation`   transpose and retime notes and their annotations
:mod:`.arrange`     bass, drums and more for pieces with known chords and beats
:mod:`.idioms`      fast rock, dance music, off-beats, rubato for such pieces
:mod:`.render`      notes to audio, through a SoundFont
:mod:`.voice`       notes to audio, sung
:mod:`.mix`         stems to one recording: levels, effects, tuning, room, codec
:mod:`.hearings`    predictions on altered versions of a recording
:mod:`.agreement`   regions where these predictions agree
:mod:`.split`       groups of tracks, and the two sides of a split
:mod:`.labels`      read label files
:mod:`.common`      functions shared by these tools
==================  ============================================================

A corpus is a directory of pairs, usually ``track_id.flac`` and ``track_id.jams``;
mirdata and convert keep the audio format of their source.  pop909, pair and demo (with
``--write-index``) write ``index_train.json`` and ``index_test.json``, which share no
group.  composed and heard write training indexes only.  Corpora of charts, lmms,
convert and mirdata get their indexes from pair.
"""
