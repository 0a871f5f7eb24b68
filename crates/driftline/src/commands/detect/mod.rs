//! `driftline detect`: a sequential detector over the values of a file.

mod bank;
mod catalogue;
mod read;
mod report;
mod watch;

use driftline_detect::sequential::{
    Compat, Detector, DetectorName, Options as _, ParameterError, SequentialDetector, Signal,
};

use crate::cli::{DetectArgs, FailOn, OutputFormat};
use crate::exit::{Exit, Failure};
use crate::terminal;
use bank::{BankDetector, BankDetectorOptions};
use read::Values;
use report::Findings;
use watch::Watched;

/// A detector by its name on the command line, with what the result says of it.
#[derive(Debug)]
struct Chosen {
    name: String,
    compat: Compat,
    params: Vec<(&'static str, String)>,
    detector: Kind,
}

#[derive(Debug)]
enum Kind {
    Sequential(Box<Detector>),
    Bank(Box<BankDetector>),
}

impl Kind {
    fn update(&mut self, value: f64) -> Signal {
        match self {
            Self::Sequential(detector) => detector.update(value),
            Self::Bank(detector) => detector.update(value),
        }
    }
}

/// Runs the detector.
///
/// # Errors
/// When the detector or its parameters do not exist, or the input cannot be read as numbers.
pub fn run(args: &DetectArgs) -> Result<Exit, Failure> {
    if args.list {
        let text = catalogue::list(args.detector.as_deref(), compat(args)?)?;
        terminal::print(&text)?;
        return Ok(Exit::Fine);
    }
    let (Some(name), Some(input)) = (&args.detector, &args.input) else {
        return Err(Failure::usage("--detector and --input are needed"));
    };
    let mut chosen = choose(name, compat(args)?, &params(&args.params)?)?;
    let mut values = Values::open(input, args.column.as_deref())?;
    let mut watched = Watched::new(args.window as usize);
    let wants = catalogue::wants(&chosen.name);
    let mut warned = false;
    while let Some(value) = values.next()? {
        if !warned && !wants.takes(value) {
            warned = true;
            tracing::warn!("{name} wants {wants}; value {} is {value}", watched.n());
        }
        watched.take(value, chosen.detector.update(value));
    }
    if let Kind::Bank(bank) = &chosen.detector
        && bank.missing() > 0
    {
        tracing::warn!(
            "the last {} values were not judged: they are a reference that is not whole; see --param reference",
            bank.options().reference() - bank.missing()
        );
    }
    let findings = Findings::new(chosen, watched);
    match args.format {
        OutputFormat::Table => {
            terminal::print(&findings.table(&input.display().to_string(), args.limit))?
        }
        OutputFormat::Json => terminal::print_json(&findings)?,
    }
    let drifted = args.fail_on == Some(FailOn::Drift) && findings.has_drifted();
    Ok(if drifted { Exit::Drift } else { Exit::Fine })
}

fn compat(args: &DetectArgs) -> Result<Compat, Failure> {
    match &args.compat {
        Some(name) => name.parse().map_err(|e: ParameterError| refused(&e)),
        None => Ok(Compat::default()),
    }
}

fn params(given: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let split = |param: &String| match param.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => Err(
            Failure::usage(format_args!("--param {param}: there is no `=`"))
                .hint("as in --param delta=0.05"),
        ),
    };
    given.iter().map(split).collect()
}

/// Makes the detector.
fn choose(name: &str, compat: Compat, params: &[(String, String)]) -> Result<Chosen, Failure> {
    if name == bank::NAME {
        let options = BankDetectorOptions::parse(compat, params).map_err(|e| refused(&e))?;
        let detector = BankDetector::new(options).map_err(|e| refused(&e))?;
        return Ok(Chosen {
            name: name.to_owned(),
            compat,
            params: detector.options().shown(),
            detector: Kind::Bank(Box::new(detector)),
        });
    }
    let known: DetectorName = name.parse().map_err(|e: ParameterError| {
        refused(&e).hint(format_args!("and `{}`, the indicator bank", bank::NAME))
    })?;
    let detector = Detector::build(known, compat, params).map_err(|e| refused(&e))?;
    Ok(Chosen {
        name: known.to_string(),
        compat,
        params: detector.parameters(),
        detector: Kind::Sequential(Box::new(detector)),
    })
}

fn refused(error: &ParameterError) -> Failure {
    Failure::usage(terminal::clean(&error.to_string()))
        .hint("`driftline detect --list` shows all detectors and their parameters")
}
