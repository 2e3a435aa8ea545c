"""Whether maps depend on the network that they explain (Adebayo et al. 2018)."""
