"""What every estimator's training shares: one module per stage, over small tools.

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
:mod:`.cli`          options that the stages share
:mod:`.io`           reading and writing files, always whole ones
:mod:`.index`        corpora, indexes and splits
:mod:`.rng`          random numbers that can be drawn again
:mod:`.hashes`       SHA-256 of files, and the list of those of a release
:mod:`.version`      the version of a trained model
===================  =========================================================

Nothing here knows an estimator by name.
"""
