//! Which sockets can be read, from epoll.

use std::{io, os::fd::AsFd, time::Duration};

use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
    fd::OwnedFd,
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime},
};

const EVENTS: usize = 256;
const NANOS_OF_A_MILLISECOND: i64 = 1_000_000;
/// What the timer's events carry, and no socket's may.
const TIMER: u64 = u64::MAX;

pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    /// Ends a wait to the microsecond: a timeout of epoll's own is rounded up to whole milliseconds, and a question that is
    /// due meanwhile would be late by up to one.
    timer: OwnedFd,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        // Told once each time it is set, so that nobody has to read it.
        epoll::add(&epoll, &timer, epoll::EventData::new_u64(TIMER), epoll::EventFlags::IN | epoll::EventFlags::ET)?;
        Ok(Self { epoll, events: Vec::with_capacity(EVENTS), timer })
    }

    /// Tell of `socket` as `token` whenever there is something to read. It is forgotten when it is closed.
    pub(crate) fn watch(&self, socket: impl AsFd, token: usize) -> io::Result<()> {
        if token as u64 == TIMER {
            return Err(io::Error::other(format!("{token} is the timer's token")));
        }
        let data = epoll::EventData::new_u64(token as u64);
        epoll::add(&self.epoll, socket, data, epoll::EventFlags::IN)?;
        Ok(())
    }

    /// The tokens of sockets that can be read now; none when `timeout` has passed first.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Vec<usize>> {
        let mut timeout = timeout.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
        // Whole milliseconds need no timer, and a system call less.
        if let Some(it_value) = timeout.take_if(|timeout| timeout.tv_nsec % NANOS_OF_A_MILLISECOND != 0) {
            let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval, it_value })?;
        }
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let tokens = self.events.drain(..).map(|event| event.data.u64()).filter(|token| *token != TIMER);
        Ok(tokens.filter_map(|token| usize::try_from(token).ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, time::Instant};

    use super::*;

    #[test]
    fn a_wait_of_less_than_a_millisecond_is_not_rounded_up_to_one() {
        let mut poller = Poller::new().unwrap();
        let mut shortest = |wait: Duration| {
            let times = (0..100).map(|_| {
                let began = Instant::now();
                assert_eq!(poller.wait(Some(wait)).unwrap(), Vec::<usize>::new());
                began.elapsed()
            });
            times.min().unwrap()
        };

        let (short, long) = (shortest(Duration::from_micros(200)), shortest(Duration::from_millis(1)));

        assert!(short >= Duration::from_micros(200), "{short:?}");
        assert!(short * 2 < long, "{short:?} and {long:?}");
    }

    #[test]
    fn a_socket_is_told_of_by_any_token_but_the_timers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut poller = Poller::new().unwrap();
        assert!(poller.watch(&listener, usize::MAX).is_err());
        poller.watch(&listener, usize::MAX - 1).unwrap();

        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();

        assert_eq!(poller.wait(None).unwrap(), [usize::MAX - 1]);
    }
}
