"""Results of finished stages for other programs: networks, masks and seeds in one folder."""
