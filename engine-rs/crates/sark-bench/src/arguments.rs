//! The command line.

use std::{path::PathBuf, str::FromStr, time::Duration};

const USAGE: &str = "usage: sark-bench floor --port PORT [--host IP]
       sark-bench load --url http://HOST:PORT/PATH --connections N --seconds S --bodies FILE";
const MAX_CONNECTIONS: usize = 1024;
const MAX_SECONDS: f64 = 600.0;

#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Floor(FloorOptions),
    Load(LoadOptions),
}

#[derive(Debug, PartialEq)]
pub(crate) struct FloorOptions {
    pub host: String,
    /// 0 lets the kernel choose; the address is printed.
    pub port: u16,
}

#[derive(Debug, PartialEq)]
pub(crate) struct LoadOptions {
    pub target: Target,
    pub connections: usize,
    pub duration: Duration,
    /// One JSON body a line.
    pub bodies: PathBuf,
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
        "floor" => Command::Floor(FloorOptions {
            host: options.take("--host").unwrap_or_else(|| "127.0.0.1".to_owned()),
            port: options.number("--port")?,
        }),
        "load" => Command::Load(load(&mut options)?),
        other => return Err(format!("no command is called {other:?}\n{USAGE}")),
    };
    options.none_left()?;
    Ok(parsed)
}

fn load(options: &mut Options) -> Result<LoadOptions, String> {
    let connections = options.number("--connections")?;
    if !(1..=MAX_CONNECTIONS).contains(&connections) {
        return Err(format!("--connections is {connections}; it must be 1 to {MAX_CONNECTIONS}"));
    }
    let seconds: f64 = options.number("--seconds")?;
    if !(0.1..=MAX_SECONDS).contains(&seconds) {
        return Err(format!("--seconds is {seconds}; it must be 0.1 to {MAX_SECONDS}"));
    }
    Ok(LoadOptions {
        target: target(&options.required("--url")?)?,
        connections,
        duration: Duration::from_secs_f64(seconds),
        bodies: options.required("--bodies")?.into(),
    })
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

    fn number<T: FromStr>(&mut self, name: &str) -> Result<T, String> {
        let text = self.required(name)?;
        text.parse().map_err(|_| format!("{name} is {text:?}, which is not a number it can be"))
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
        };
        assert_eq!(parsed(&format!("{LOAD} 16")), Ok(Command::Load(expected)));
    }

    #[test]
    fn a_floor_is_on_loopback_unless_told_otherwise() {
        let expected = FloorOptions { host: "127.0.0.1".to_owned(), port: 9000 };
        assert_eq!(parsed("floor --port 9000"), Ok(Command::Floor(expected)));
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
            (&format!("{LOAD} 0"), "--connections is 0; it must be 1 to 1024"),
            (&LOAD.replace("2.5", "NaN").replace("--connections", "--connections 1"), "--seconds is NaN"),
            (&LOAD.replace("http:", "https:").replace("--connections", "--connections 1"), "it must look like http://"),
        ] {
            let message = parsed(line).unwrap_err();
            assert!(message.contains(sentence), "{line:?}: {message}");
        }
    }
}
