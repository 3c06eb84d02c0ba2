//! The command line.

use std::{path::PathBuf, str::FromStr, time::Duration};

const USAGE: &str = "usage: sark-bench floor|hyper --port PORT [--host IP]
       sark-bench serve --port PORT --policies FOLDER [--host IP] [--workers N]
       sark-bench load --url http://HOST:PORT/PATH --connections N --seconds S --bodies FILE [--answers FILE]
       sark-bench paced --rate PER_SECOND [--ramp S] [--give-up S] [--awake S], and the options of load
       sark-bench evaluate --engine sark|interpreter|rvm --policies FOLDER --cases FILE --seconds S
       sark-bench cache [--entries N,N] [--threads N,N] [--rounds N] [--json FILE]";
const MAX_CONNECTIONS: usize = 4096;
const MAX_SECONDS: f64 = 7200.0;
/// Each latency is kept: eight bytes.
const MAX_QUESTIONS: f64 = 50_000_000.0;
const MAX_RATE: f64 = 1_000_000.0;

#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Floor(FloorOptions),
    Hyper(FloorOptions),
    Serve(ServeOptions),
    Load(LoadOptions),
    Paced(PacedOptions),
    Evaluate(EvaluateOptions),
    Cache(crate::cache::CacheOptions),
}

#[derive(Debug, PartialEq)]
pub(crate) struct FloorOptions {
    pub host: String,
    /// 0 lets the kernel choose; the address is printed.
    pub port: u16,
}

#[derive(Debug, PartialEq)]
pub(crate) struct ServeOptions {
    pub host: String,
    /// 0 lets the kernel choose; the address is printed.
    pub port: u16,
    /// Folder with `.rego` files and a `data.json`.
    pub policies: PathBuf,
    pub workers: usize,
}

#[derive(Debug, PartialEq)]
pub(crate) struct LoadOptions {
    pub target: Target,
    pub connections: usize,
    pub duration: Duration,
    /// One JSON body a line.
    pub bodies: PathBuf,
    /// The body of the right answer to each of them, one a line; None takes any decision.
    pub answers: Option<PathBuf>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct PacedOptions {
    pub load: LoadOptions,
    /// Questions a second, whatever the answers do.
    pub rate: f64,
    /// In how long the rate grows evenly from nothing, at the beginning.
    pub ramp: Duration,
    /// How long after the last question was due the rest counts as unanswered. None: that is an error.
    pub give_up: Option<Duration>,
    /// How long before a question is due it no longer sleeps. None: it never sleeps, and takes a core for itself.
    pub awake: Option<Duration>,
}

/// Who evaluates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineName {
    /// This project's engine.
    Sark,
    /// regorus' interpreter, by itself.
    Interpreter,
    /// regorus' virtual machine, by itself.
    Rvm,
}

#[derive(Debug, PartialEq)]
pub(crate) struct EvaluateOptions {
    pub engine: EngineName,
    /// Folder with `.rego` files and a `data.json`.
    pub policies: PathBuf,
    /// One case a line.
    pub cases: PathBuf,
    /// Of timing each name of case.
    pub budget: Duration,
}

/// Where questions go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Host and port.
    pub authority: String,
    pub path: String,
}

/// Read the arguments after the program's name.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut words = arguments;
    let command = words.next().ok_or(USAGE)?;
    let mut options = Options::read(words)?;
    let parsed = match command.as_str() {
        "floor" => Command::Floor(floor(&mut options)?),
        "hyper" => Command::Hyper(floor(&mut options)?),
        "serve" => Command::Serve(ServeOptions {
            host: options.host(),
            port: options.number("--port")?,
            policies: options.required("--policies")?.into(),
            workers: options.number_or("--workers", 1)?,
        }),
        "load" => Command::Load(load(&mut options)?),
        "paced" => Command::Paced(paced(&mut options)?),
        "evaluate" => Command::Evaluate(EvaluateOptions {
            engine: engine(&options.required("--engine")?)?,
            policies: options.required("--policies")?.into(),
            cases: options.required("--cases")?.into(),
            budget: seconds(&mut options)?,
        }),
        "cache" => Command::Cache(crate::cache::CacheOptions::read(|name| options.take(name))?),
        other => return Err(format!("no command is called {other:?}\n{USAGE}")),
    };
    options.none_left()?;
    Ok(parsed)
}

fn floor(options: &mut Options) -> Result<FloorOptions, String> {
    Ok(FloorOptions { host: options.host(), port: options.number("--port")? })
}

fn load(options: &mut Options) -> Result<LoadOptions, String> {
    let connections = options.number("--connections")?;
    if !(1..=MAX_CONNECTIONS).contains(&connections) {
        return Err(format!("--connections is {connections}; it must be 1 to {MAX_CONNECTIONS}"));
    }
    Ok(LoadOptions {
        target: target(&options.required("--url")?)?,
        connections,
        duration: seconds(options)?,
        bodies: options.required("--bodies")?.into(),
        answers: options.take("--answers").map(PathBuf::from),
    })
}

fn seconds(options: &mut Options) -> Result<Duration, String> {
    let seconds: f64 = options.number("--seconds")?;
    if !(0.1..=MAX_SECONDS).contains(&seconds) {
        return Err(format!("--seconds is {seconds}; it must be 0.1 to {MAX_SECONDS}"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn paced(options: &mut Options) -> Result<PacedOptions, String> {
    let (rate, load) = (rate(options)?, load(options)?);
    let questions = rate * load.duration.as_secs_f64();
    if questions > MAX_QUESTIONS {
        return Err(format!("--rate by --seconds is {questions} questions; at most {MAX_QUESTIONS} can be asked in a run"));
    }
    let ramp = Duration::from_secs_f64(span(options, "--ramp")?.unwrap_or_default());
    if ramp > load.duration {
        return Err(format!("--ramp is {} s; it must not be longer than --seconds", ramp.as_secs_f64()));
    }
    let give_up = span(options, "--give-up")?.map(Duration::from_secs_f64);
    let awake = span(options, "--awake")?.map(Duration::from_secs_f64);
    Ok(PacedOptions { load, rate, ramp, give_up, awake })
}

fn span(options: &mut Options, name: &str) -> Result<Option<f64>, String> {
    let Some(text) = options.take(name) else { return Ok(None) };
    let seconds: Option<f64> = text.parse().ok().filter(|seconds| (0.0..=MAX_SECONDS).contains(seconds));
    seconds.map(Some).ok_or_else(|| format!("{name} is {text:?}; it must be 0 to {MAX_SECONDS} seconds"))
}

fn rate(options: &mut Options) -> Result<f64, String> {
    let rate: f64 = options.number("--rate")?;
    if !(1.0..=MAX_RATE).contains(&rate) {
        return Err(format!("--rate is {rate}; it must be 1 to {MAX_RATE} a second"));
    }
    Ok(rate)
}

fn engine(name: &str) -> Result<EngineName, String> {
    match name {
        "sark" => Ok(EngineName::Sark),
        "interpreter" => Ok(EngineName::Interpreter),
        "rvm" => Ok(EngineName::Rvm),
        other => Err(format!("--engine is {other:?}; it must be sark, interpreter or rvm")),
    }
}

fn target(url: &str) -> Result<Target, String> {
    let parts = url.strip_prefix("http://").and_then(|rest| rest.split_once('/'));
    match parts {
        Some((authority, path)) if authority.contains(':') => {
            Ok(Target { authority: authority.to_owned(), path: format!("/{path}") })
        }
        _ => Err(format!("--url is {url:?}; it must look like http://127.0.0.1:8180/v1/data/authz/decision")),
    }
}

/// Pairs of name and value.
struct Options(Vec<(String, String)>);

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut pairs = Vec::new();
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} needs a value\n{USAGE}"))?;
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    fn required(&mut self, name: &str) -> Result<String, String> {
        self.take(name).ok_or_else(|| format!("{name} is missing\n{USAGE}"))
    }

    /// The address to listen on: loopback unless told otherwise.
    fn host(&mut self) -> String {
        self.take("--host").unwrap_or_else(|| "127.0.0.1".to_owned())
    }

    fn number<T: FromStr>(&mut self, name: &str) -> Result<T, String> {
        let text = self.required(name)?;
        text.parse().map_err(|_| format!("{name} is {text:?}, which is not a number it can be"))
    }

    fn number_or<T: FromStr>(&mut self, name: &str, usual: T) -> Result<T, String> {
        if self.0.iter().any(|(known, _)| known == name) { self.number(name) } else { Ok(usual) }
    }

    fn none_left(&self) -> Result<(), String> {
        match self.0.first() {
            Some((name, _)) => Err(format!("{name} is not an option here, or was given twice\n{USAGE}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    const LOAD: &str = "load --url http://127.0.0.1:80/v1/data/a --seconds 2.5 --bodies b.jsonl --connections";

    #[test]
    fn a_load_is_read() {
        let expected = LoadOptions {
            target: Target { authority: "127.0.0.1:80".to_owned(), path: "/v1/data/a".to_owned() },
            connections: 16,
            duration: Duration::from_millis(2500),
            bodies: "b.jsonl".into(),
            answers: None,
        };
        assert_eq!(parsed(&format!("{LOAD} 16")), Ok(Command::Load(expected)));
    }

    #[test]
    fn a_paced_load_is_a_load_with_a_rate() {
        let line = format!("{LOAD} 16 --rate 5000 --answers a.jsonl").replacen("load", "paced", 1);
        let Ok(Command::Paced(paced)) = parsed(&line) else { panic!("{line}") };
        assert!((paced.rate - 5000.0).abs() < f64::EPSILON);
        assert_eq!(paced.load.answers, Some("a.jsonl".into()));
        assert_eq!((paced.ramp, paced.give_up, paced.awake), (Duration::ZERO, None, None));
    }

    #[test]
    fn a_paced_load_may_grow_sleep_and_give_up() {
        let line = format!("{LOAD} 16 --rate 5000 --ramp 1 --give-up 5 --awake 0.0001").replacen("load", "paced", 1);
        let Ok(Command::Paced(paced)) = parsed(&line) else { panic!("{line}") };
        assert_eq!((paced.ramp, paced.give_up), (Duration::from_secs(1), Some(Duration::from_secs(5))));
        assert_eq!(paced.awake, Some(Duration::from_micros(100)));
        for (wrong, sentence) in [
            ("--rate 5000 --ramp 3", "--ramp is 3 s"),
            ("--rate 5000 --give-up soon", "--give-up is \"soon\""),
            ("--rate 1000000 --seconds 7200", "at most"),
        ] {
            let seconds = if wrong.contains("--seconds") { "" } else { "--seconds 2.5" };
            let base = LOAD.replacen("load", "paced", 1).replacen("--seconds 2.5", seconds, 1);
            let message = parsed(&format!("{base} 16 {wrong}")).unwrap_err();
            assert!(message.contains(sentence), "{message}");
        }
    }

    #[test]
    fn an_evaluation_is_read() {
        let expected = EvaluateOptions {
            engine: EngineName::Rvm,
            policies: "p".into(),
            cases: "c.jsonl".into(),
            budget: Duration::from_secs(2),
        };
        let line = "evaluate --engine rvm --policies p --cases c.jsonl --seconds 2";
        assert_eq!(parsed(line), Ok(Command::Evaluate(expected)));
    }

    #[test]
    fn a_floor_is_on_loopback_unless_told_otherwise() {
        let expected = FloorOptions { host: "127.0.0.1".to_owned(), port: 9000 };
        assert_eq!(parsed("floor --port 9000"), Ok(Command::Floor(expected)));
        assert!(matches!(parsed("hyper --port 0"), Ok(Command::Hyper(_))));
    }

    #[test]
    fn a_data_plane_has_one_worker_unless_told_otherwise() {
        let expected = ServeOptions { host: "127.0.0.1".to_owned(), port: 0, policies: "p".into(), workers: 1 };
        assert_eq!(parsed("serve --port 0 --policies p"), Ok(Command::Serve(expected)));
        assert!(matches!(parsed("serve --port 0 --policies p --workers 2"), Ok(Command::Serve(two)) if two.workers == 2));
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        for (line, sentence) in [
            ("", "usage"),
            ("flor", "no command is called \"flor\""),
            ("floor", "--port is missing"),
            ("floor --port", "--port needs a value"),
            ("floor --port 70000", "not a number it can be"),
            ("floor --port 1 --port 2", "given twice"),
            ("floor --port 1 --workers 2", "--workers is not an option"),
            ("evaluate --engine v8", "--engine is \"v8\"; it must be sark, interpreter or rvm"),
            ("paced --rate 0", "--rate is 0; it must be 1 to 1000000 a second"),
            (&format!("{LOAD} 0"), "--connections is 0; it must be 1 to 4096"),
            (&LOAD.replace("2.5", "NaN").replace("--connections", "--connections 1"), "--seconds is NaN"),
            (&LOAD.replace("http:", "https:").replace("--connections", "--connections 1"), "it must look like http://"),
        ] {
            let message = parsed(line).unwrap_err();
            assert!(message.contains(sentence), "{line:?}: {message}");
        }
    }
}
