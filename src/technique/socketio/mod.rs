//! Socket.IO: "give me what is after N and whatever comes after it, by whatever way there is": events with
//! names, acknowledgements, namespaces and rooms, over Engine.IO, which starts with HTTP long polling and
//! changes to WebSocket where that works (<https://github.com/socketio/socket.io-protocol>, revision 5).
//!
//! | | what it is | where its bytes are |
//! | --- | --- | --- |
//! | event | a message with a name and arguments: `mail`, `gap`, `read`, `say` | `42["mail",…]` |
//! | acknowledgement | with `--reply`, the numbered answer to one event | `421["mail",…]`, `431[{"read":1}]` |
//! | namespace | a separate channel on the same session: `/`, and with `--echo` `/custom` | `40/custom,` |
//! | room | a group of clients: `inbox` has all readers of the mailbox | nowhere: only the server knows |
//!
//! How a session starts is described in [`client`] and [`websocket`], and why the library's own transports
//! are not used in [`engine`].

mod arguments;
mod client;
mod engine;
mod entry;
mod front;
mod names;
mod requests;
mod routes;
mod server;
mod session;
mod websocket;

pub use entry::TECHNIQUE;
