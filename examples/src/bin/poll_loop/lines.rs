//! The other protocol on the loop: lines of text over TCP, with one peer at a time.

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use std::io::{self, ErrorKind, Read, Write};

/// Bytes that wait for their reader before the loop holds back more.
const ROOM: usize = 64 << 10;

pub struct Lines {
    listener: TcpListener,
    peer: Option<TcpStream>,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Lines {
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
        registry.register(&mut listener, token, Interest::READABLE)?;
        println!("{}", listener.local_addr()?.port());
        Ok(Self { listener, peer: None, input: Vec::new(), output: Vec::new() })
    }

    /// Takes a new peer in, in place of the one before, and reads what it says: whole lines.
    pub fn read(&mut self, registry: &Registry, token: Token) -> io::Result<Vec<String>> {
        if let Ok((mut peer, _)) = self.listener.accept() {
            registry.register(&mut peer, token, Interest::READABLE | Interest::WRITABLE)?;
            self.peer = Some(peer);
        }
        let mut buf = [0; 4096];
        while let Some(peer) = &mut self.peer {
            match peer.read(&mut buf) {
                Ok(0) => self.peer = None,
                Ok(count) => self.input.extend_from_slice(&buf[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.peer = None,
            }
        }
        let whole = self.input.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.input.drain(..whole).collect();
        Ok(String::from_utf8_lossy(&lines).lines().map(str::to_owned).collect())
    }

    pub fn say(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.push(b'\n');
    }

    pub fn has_room(&self) -> bool {
        self.output.len() < ROOM
    }

    /// Writes as far as the peer takes it. Whether there is room again.
    pub fn flush(&mut self) -> bool {
        let was_full = !self.has_room();
        let Some(peer) = &mut self.peer else { return false };
        while !self.output.is_empty() {
            match peer.write(&self.output) {
                Ok(count @ 1..) => drop(self.output.drain(..count)),
                _ => break,
            }
        }
        was_full && self.has_room()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll};

    #[test]
    fn a_flush_that_makes_room_says_so() {
        let mut poll = Poll::new().unwrap();
        let mut lines = Lines::new(poll.registry(), Token(0)).unwrap();
        let mut reader = std::net::TcpStream::connect(lines.listener.local_addr().unwrap()).unwrap();
        poll.poll(&mut Events::with_capacity(1), None).unwrap();
        lines.read(poll.registry(), Token(0)).unwrap();
        assert!(!lines.flush(), "nothing to write");
        lines.say("short");
        assert!(!lines.flush(), "it was not full");
        lines.say(&"x".repeat(ROOM));
        assert!(lines.flush(), "all of it fits into the socket");
        assert!(lines.output.is_empty() && !lines.flush());
        // A peer that does not read any more.
        while lines.flush() || lines.has_room() {
            lines.say(&"x".repeat(ROOM));
        }
        assert!(!lines.flush(), "no more fits");
        let mut input = vec![0; 8 << 20];
        while !lines.flush() {
            assert!(reader.read(&mut input).unwrap() > 0);
        }
    }
}
