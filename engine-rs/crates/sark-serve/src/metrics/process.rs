//! The usual `process_*` metrics, from `/proc`.

use std::{fs, time::SystemTime};

use prometheus::{Error, Gauge, Opts, Registry, core::Collector, proto::MetricFamily};

/// Gauges of this process. CPU time is exposed as a counter, as everywhere, so it is collected by hand.
pub(super) struct Process {
    memory: Gauge,
    virtual_memory: Gauge,
    start: Gauge,
    open_fds: Gauge,
}

impl Process {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let gauge = |name: &str, help: &str| {
            let gauge = Gauge::with_opts(Opts::new(name, help))?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, Error>(gauge)
        };
        registry.register(Box::new(CpuSeconds::new()?))?;
        Ok(Self {
            memory: gauge("process_resident_memory_bytes", "Resident memory of the process in bytes.")?,
            virtual_memory: gauge("process_virtual_memory_bytes", "Virtual memory of the process in bytes.")?,
            start: gauge("process_start_time_seconds", "Unix time the process started at.")?,
            open_fds: gauge("process_open_fds", "Open file descriptors.")?,
        })
    }

    /// Read them anew. A value that cannot be read becomes NaN: unknown, not zero.
    pub(super) fn refresh(&self) {
        let pages = |field: usize| Some(number(&fs::read_to_string("/proc/self/statm").ok()?, field)? * page_size());
        self.virtual_memory.set(pages(0).unwrap_or(f64::NAN));
        self.memory.set(pages(1).unwrap_or(f64::NAN));
        self.start.set(start_time().unwrap_or(f64::NAN));
        // Small numbers: exact in a double.
        #[allow(clippy::cast_precision_loss)]
        let fds = fs::read_dir("/proc/self/fd").map(|entries| entries.count() as f64);
        self.open_fds.set(fds.unwrap_or(f64::NAN));
    }
}

/// CPU time as a counter that is read when collected.
struct CpuSeconds(prometheus::Counter);

impl CpuSeconds {
    fn new() -> Result<Self, Error> {
        let help = "User and system CPU time of the process in seconds.";
        prometheus::Counter::with_opts(Opts::new("process_cpu_seconds_total", help)).map(Self)
    }
}

impl Collector for CpuSeconds {
    fn desc(&self) -> Vec<&prometheus::core::Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let now = cpu_seconds().unwrap_or(0.0);
        let more = now - self.0.get();
        if more > 0.0 {
            self.0.inc_by(more);
        }
        self.0.collect()
    }
}

// Page size and clock ticks are small.
#[allow(clippy::cast_precision_loss)]
fn page_size() -> f64 {
    rustix::param::page_size() as f64
}

#[allow(clippy::cast_precision_loss)]
fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

fn number(text: &str, field: usize) -> Option<f64> {
    text.split_ascii_whitespace().nth(field)?.parse().ok()
}

/// Fields of `/proc/self/stat` after the program's name, which may contain anything.
fn stat(field: usize) -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    number(text.rsplit_once(')')?.1, field)
}

fn cpu_seconds() -> Option<f64> {
    Some((stat(11)? + stat(12)?) / ticks_per_second())
}

fn start_time() -> Option<f64> {
    let since_boot = stat(19)? / ticks_per_second();
    let uptime = number(&fs::read_to_string("/proc/uptime").ok()?, 0)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs_f64();
    Some((now - uptime + since_boot).round())
}
