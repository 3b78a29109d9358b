//! The command line.

use std::path::PathBuf;

use lexopt::prelude::*;

use crate::memory;

/// What `--help` prints.
pub const HELP: &str = "\
Runs the same graphs through several engines and prints a comparison.

Options:
  --samples <N>       samples per contender and graph; their median counts (default: 7)
  --only <SUBSTRING>  contenders whose name contains this
  --shape <NAME>      graphs whose name starts with this: chain, fan, layered, random, diamond,
                      busy, sleep
  --write <FILE>      writes the tables to a marked section of a Markdown file as well
  --help              prints this
";

/// The parsed command line.
pub struct Args {
    pub samples: usize,
    pub only: Option<String>,
    pub shape: Option<String>,
    pub write: Option<PathBuf>,
    pub help: bool,
    /// The contender whose memory this process is to measure.
    pub memory_of: Option<String>,
}

impl Args {
    /// Parses the command line of this process.
    pub fn parse() -> Result<Self, lexopt::Error> {
        let mut args =
            Self { samples: 7, only: None, shape: None, write: None, help: false, memory_of: None };
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("samples") => args.samples = parser.value()?.parse()?,
                Long("only") => args.only = Some(parser.value()?.string()?),
                Long("shape") => args.shape = Some(parser.value()?.string()?),
                Long("write") => args.write = Some(parser.value()?.into()),
                Long("help") | Short('h') => args.help = true,
                Long(memory::CHILD) => args.memory_of = Some(parser.value()?.string()?),
                _ => return Err(arg.unexpected()),
            }
        }
        if args.samples == 0 {
            return Err("at least one sample is needed".into());
        }
        Ok(args)
    }

    /// Whether a contender of this name is selected.
    pub fn wants_contender(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only))
    }

    /// Whether a case of this name is selected.
    pub fn wants_case(&self, name: &str) -> bool {
        self.shape.as_ref().is_none_or(|shape| name.starts_with(shape))
    }

    /// The command which repeats this run from within the directory of this package.
    pub fn command(&self) -> String {
        let mut command = format!("cargo run --release -- --samples {}", self.samples);
        let texts = [("only", &self.only), ("shape", &self.shape)];
        for (option, text) in texts {
            if let Some(text) = text {
                command += &format!(" --{option} '{text}'");
            }
        }
        if let Some(file) = self.write.as_ref().filter(|file| file.is_relative()) {
            command += &format!(" --write {}", file.display());
        }
        command
    }
}
