"""One module per stage of the workflow, over small tools that inference uses too.

===================  =========================================================
:mod:`.setup`        stage 0, augmented copies of each training track
:mod:`.prepare`      stage 1, the pump; features and labels of each track
:mod:`.train`        stage 2, from patches of features to a fitted model
:mod:`.evaluate`     stage 3, from audio to scores
:mod:`.sampling`     patches of features, for stage 2
:mod:`.fit`          fitting that can be resumed, for stage 2
:mod:`.initial`      weights to begin with, for stage 2
:mod:`.release`      what the package carries of an evaluated model
:mod:`.figures`      figures and tables of a report
:mod:`.cli`          options of command lines
:mod:`.processes`    pools of processes, and their threads
:mod:`.disk`         writing files completely or not at all; JSON
:mod:`.audiofile`    reading and writing audio
:mod:`.containers`   whether an audio file is complete
:mod:`.jamsfile`     reading and writing JAMS
:mod:`.hdf5`         reading and writing features
:mod:`.index`        corpora, indexes and splits
:mod:`.rng`          random numbers that can be drawn again
:mod:`.hashes`       SHA-256 of files, and the list of those of a release
:mod:`.version`      the version of a trained model
===================  =========================================================

Nothing here knows an estimator by name.
"""
