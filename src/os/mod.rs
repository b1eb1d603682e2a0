//! The machine that kiln runs on: paths, settings, locks, private files, signals.
