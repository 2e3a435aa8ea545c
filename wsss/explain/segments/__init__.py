"""Why a segmenter labels a region so."""
