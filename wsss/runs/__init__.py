"""What is in a work folder: stages' results, what they came from, what nothing needs any more."""
