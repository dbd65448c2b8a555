"""Meters: they listen to a training's events, or look at the process around it."""
