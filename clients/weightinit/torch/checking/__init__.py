"""The parts of `check`: names and roles of modules, recording of signals, and restoring of state."""
