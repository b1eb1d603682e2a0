//! Arguments -> a face -> an exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(kiln::cli::main(std::env::args_os().collect()))
}
