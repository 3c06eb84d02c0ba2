//! Memory of this process, from the kernel.

/// Resident memory in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub now: u64,
    /// The most there ever was.
    pub peak: u64,
}

impl Memory {
    pub(crate) fn of_this_process() -> Result<Self, String> {
        let path = "/proc/self/status";
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        Self::parse(&text).ok_or_else(|| format!("{path} does not tell the resident memory"))
    }

    fn parse(status: &str) -> Option<Self> {
        let bytes = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name))?;
            value.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
        };
        Some(Self { now: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(Memory::parse(status), Some(Memory { now: 1 << 20, peak: 2 << 20 }));
        assert_eq!(Memory::parse("VmRSS:\t1 kB\n"), None);
        assert!(Memory::of_this_process().unwrap().now > 0);
    }
}
