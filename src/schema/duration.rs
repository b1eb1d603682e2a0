//! Go's durations, as Packer's templates write them (packer.md appendix B.1).
