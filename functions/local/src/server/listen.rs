//! Listening sockets: one per serving thread, all on one port. The kernel spreads connections over them.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

pub(super) struct Listeners {
    pub(super) local_addr: SocketAddr,
    pub(super) sockets: Vec<std::net::TcpListener>,
}

const BACKLOG: i32 = 1024;

/// Binds `count` sockets to one address; port 0 chooses a free port once. Another process on the port is an error: the
/// first socket is bound without sharing to find that out.
pub(super) fn bind(address: SocketAddr, count: usize) -> io::Result<Listeners> {
    let address = match address.port() {
        0 => address,
        _ => probe(address)?,
    };
    let first = socket(address)?;
    let local_addr = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..count {
        sockets.push(socket(local_addr)?);
    }
    Ok(Listeners { local_addr, sockets })
}

fn probe(address: SocketAddr) -> io::Result<SocketAddr> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(address)
}

fn socket(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_sockets_share_a_port_and_a_taken_port_is_an_error() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listeners = bind(any, 3).unwrap();
        assert_eq!(listeners.sockets.len(), 3);
        for socket in &listeners.sockets {
            assert_eq!(socket.local_addr().unwrap(), listeners.local_addr);
        }
        assert!(bind(listeners.local_addr, 1).is_err());
    }
}
