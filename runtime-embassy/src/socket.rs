//! One connection, from dialling to its end.

use crate::shared::Shared;
use alloc::vec;
use bytes::Buf;
use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::pin::pin;
use core::task::Poll;
use embedded_io_async::{Read, Write};
use embedded_nal_async::TcpConnect;
use futures_util::future::{Either, select};
use linger_core::{CloseReason, ConnId};

/// Bytes that are read or written at once, for each connection.
pub const IO_BYTES: usize = 2048;

/// Opens a connection and does its I/O until the client or the peer is done with it.
pub(crate) async fn serve<N: TcpConnect>(net: &N, shared: &Shared, conn: ConnId, addr: SocketAddr) {
    let dismissed = poll_fn(|cx| {
        shared.look(|state| match state.sockets.get_mut(&conn) {
            Some(wakers) => {
                wakers.register(cx);
                Poll::Pending
            }
            None => Poll::Ready(()),
        })
    });
    if let Either::Left((why, _)) = select(pin!(talk(net, shared, conn, addr)), dismissed).await {
        shared.act(|state, now| {
            state.sockets.remove(&conn);
            state.client.handle_closed(now, conn, why);
        });
    }
}

/// Reads and writes by turns: a stack's connection is one thing and can not do both at once.
async fn talk<N: TcpConnect>(net: &N, shared: &Shared, conn: ConnId, addr: SocketAddr) -> CloseReason {
    let Ok(mut socket) = net.connect(addr).await else { return CloseReason::Unreachable };
    shared.act(|state, now| state.client.handle_connected(now, conn));
    let mut input = vec![0; IO_BYTES];
    let mut output = vec![0; IO_BYTES];
    loop {
        // What is taken here counts as sent: if it is not, the connection is broken anyway.
        while let count @ 1.. = take(shared, conn, &mut output) {
            let Some(bytes) = output.get(..count) else { break };
            if socket.write_all(bytes).await.is_err() || socket.flush().await.is_err() {
                return CloseReason::Closed;
            }
        }
        let read = match select(pin!(socket.read(&mut input)), writable(shared, conn)).await {
            Either::Left((read, _)) => read,
            Either::Right(_) => continue,
        };
        match read {
            Ok(count @ 1..) => {
                let bytes = input.get(..count).unwrap_or_default();
                shared.act(|state, now| state.client.handle_bytes(now, conn, bytes));
            }
            _ => return CloseReason::Closed,
        }
    }
}

/// Moves bytes out of the outbox; how many.
fn take(shared: &Shared, conn: ConnId, to: &mut [u8]) -> usize {
    shared.look(|state| {
        let mut outbox = state.client.outbox(conn);
        let count = outbox.remaining().min(to.len());
        if let Some(to) = to.get_mut(..count) {
            outbox.copy_to_slice(to);
        }
        count
    })
}

/// Waits until the outbox has something.
fn writable(shared: &Shared, conn: ConnId) -> impl Future<Output = ()> + Unpin {
    poll_fn(move |cx| {
        shared.look(|state| {
            if state.client.outbox(conn).has_remaining() {
                return Poll::Ready(());
            }
            if let Some(wakers) = state.sockets.get_mut(&conn) {
                wakers.register(cx);
            }
            Poll::Pending
        })
    })
}
