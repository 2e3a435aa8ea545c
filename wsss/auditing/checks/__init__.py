"""The checks of an audit: each a function of arrays."""
