//! The binary: one program for every role.
//!
//! 1. [`cli`] says what can be asked for; each subcommand is one file in [`commands`].
//! 2. [`wire`] builds the parts from the configuration: the only place that knows which backend is in use.
//! 3. [`output`] is how commands speak, to people and to scripts; [`doctor`] is what `doctor` checks.
//! 4. [`secrets`] makes the ring of keys; [`demo`] plays a day in a minute for `postrider dev --demo`.
//! 5. [`process`] watches for signals, so that every role ends softly.
//!
//! Exit codes: 0 done, 1 the thing failed, 2 wrong usage or configuration.

mod cli;
mod commands;
mod demo;
mod doctor;
mod output;
mod process;
mod secrets;
mod wire;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Everything that speaks TLS here uses this one provider.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("postrider: another TLS provider was installed first");
        return ExitCode::from(1);
    }
    let cli = cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("postrider: cannot start the runtime: {e}");
            return ExitCode::from(1);
        }
    };
    match runtime.block_on(commands::run(cli)) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("postrider: {}", told(&e));
            ExitCode::from(if is_usage(&e) { 2 } else { 1 })
        }
    }
}

/// An error with its causes. A cause that the error's own words hold already is not told again.
fn told(e: &anyhow::Error) -> String {
    let mut told = e.to_string();
    for cause in e.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    told
}

/// Whether an error is the caller's: wrong usage or configuration.
fn is_usage(e: &anyhow::Error) -> bool {
    e.downcast_ref::<config::ConfigError>().is_some() || e.downcast_ref::<commands::Usage>().is_some()
}
