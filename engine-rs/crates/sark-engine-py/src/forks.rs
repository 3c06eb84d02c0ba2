//! Word of every fork of this process. Python is not told of those that a server written in C makes.

use std::{ffi::c_int, io, sync::OnceLock};

/// Have the servers know of forks from now on.
pub(crate) fn watch() -> io::Result<()> {
    static REGISTERED: OnceLock<c_int> = OnceLock::new();
    // SAFETY: the function is there as long as the process, for an extension module is never unloaded, and adds to an atomic
    // number: it takes no lock and no memory, which in a child of a process with threads it must not.
    let failed = *REGISTERED.get_or_init(|| unsafe { libc::pthread_atfork(None, None, Some(note)) });
    if failed == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(failed)) }
}

extern "C" fn note() {
    sark_serve::note_fork();
}
