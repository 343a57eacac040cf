//! The `scenarios` command.

fn main() -> std::process::ExitCode {
    scenarios::command::main()
}
