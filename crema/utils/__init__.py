"""Stages of the workflow, one module each, and helpers that inference uses too.

===================  =========================================================
:mod:`.setup`        stage 0: augmented copies of the training tracks
:mod:`.prepare`      stage 1: the pump; features and labels of the tracks
:mod:`.train`        stage 2: a model, fitted to patches of features
:mod:`.evaluate`     stage 3: scores, from audio
:mod:`.sampling`     patches of features for stage 2
:mod:`.fit`          resumable fitting for stage 2
:mod:`.initial`      initial weights for stage 2
:mod:`.statistics`   means, calibration and confusion for stage 3
:mod:`.release`      release of an evaluated model
:mod:`.figures`      figures and tables of the report
:mod:`.cli`          command-line options and messages
:mod:`.processes`    process pools and thread limits
:mod:`.disk`         atomic writes, locks and JSON
:mod:`.audiofile`    reading and writing audio
:mod:`.containers`   completeness of audio files
:mod:`.jamsfile`     reading and writing JAMS
:mod:`.hdf5`         reading and writing features
:mod:`.index`        corpora, indexes and splits
:mod:`.rng`          reproducible random numbers
:mod:`.hashes`       SHA-256 of files and of releases
:mod:`.version`      the version of a trained model
===================  =========================================================

No module here names an estimator.
"""
