"""How faithful an explanation is to the network."""
