"""Task transformers, one module per estimator.

A task transformer encodes a JAMS annotation as arrays, the targets of training, and
decodes posteriors into an annotation.
"""
