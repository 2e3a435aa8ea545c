"""What a classifier and a segmenter look at over a whole data set, and where they fail."""
