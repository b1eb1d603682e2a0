//! Arguments -> a face -> an exit status.
fn main() {}
