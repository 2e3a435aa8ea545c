"""Doubtful images and tags of a data set, found by a run's classifier without any mask."""
