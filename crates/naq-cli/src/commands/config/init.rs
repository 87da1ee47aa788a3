//! `naq config init`: a file to begin with.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use naq::config::{default_file, environment_file, minimal_file};

use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;

/// Write a configuration file that has every key, its default and what it is for as comments
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to; `-` is standard output
    #[arg(
        short = 'o',
        long,
        visible_alias = "output",
        value_name = "FILE",
        default_value = "./naq.yaml"
    )]
    path: PathBuf,

    /// Replace a file that is there
    #[arg(long)]
    force: bool,

    /// Only the four keys that most files begin with
    #[arg(long)]
    minimal: bool,

    /// Switch the values of a built-in profile on; `minimal` is the same as --minimal
    #[arg(short, long, value_name = "NAME", conflicts_with = "minimal")]
    environment: Option<Environment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Environment {
    Development,
    Production,
    Testing,
    Minimal,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<(), CliError> {
    let text = match args.environment {
        None if args.minimal => minimal_file(),
        None => default_file(),
        Some(Environment::Minimal) => minimal_file(),
        Some(Environment::Development) => environment_file("development")?,
        Some(Environment::Production) => environment_file("production")?,
        Some(Environment::Testing) => environment_file("testing")?,
    };
    let out = &context.output;
    if args.path.as_os_str() == "-" {
        return Ok(out.bytes(text.as_bytes())?);
    }
    let shown = args.path.display();
    match write(args, &text) {
        Ok(()) => {
            out.note(format!(
                "wrote {shown}; check changes with `naq config validate`"
            ));
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(CliError::new(
            exit_code::CONFIGURATION,
            format!("{shown} exists and was left as it is"),
        )
        .hint("replace it with --force, or name another file with --path")),
        Err(error) => Err(
            CliError::new(exit_code::INTERNAL, format!("failed to write {shown}")).because(&error),
        ),
    }
}

fn write(args: &Args, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    if args.force {
        options.create(true).truncate(true);
    } else {
        // One step, so that nobody's file is replaced that came into being meanwhile.
        options.create_new(true);
    }
    options.open(&args.path)?.write_all(text.as_bytes())
}
