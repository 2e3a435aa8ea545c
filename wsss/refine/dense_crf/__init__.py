"""Fully connected conditional random fields behind one engine interface."""
