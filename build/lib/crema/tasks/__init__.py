"""What annotations mean to a network: one module per estimator.

A task transformer turns a JAMS annotation into arrays, the targets of a training, and
posteriors back into an annotation.
"""
