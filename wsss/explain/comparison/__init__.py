"""What two classifiers, or two methods, see differently."""
