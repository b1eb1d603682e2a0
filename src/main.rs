//! Arguments -> a face -> an exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = std::env::args_os().collect::<Vec<_>>();
    // Before a thread is started: a process of a practice machine.
    if let Some(status) = kiln::practice::instance::role(&arguments) {
        return ExitCode::from(status);
    }
    ExitCode::from(kiln::cli::main(arguments))
}
