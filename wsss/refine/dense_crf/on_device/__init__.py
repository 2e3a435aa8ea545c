"""The dense CRF on a device of torch: lattices by sorting, filters as gathers of fixed width."""
