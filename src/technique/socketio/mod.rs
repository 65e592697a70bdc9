//! Socket.IO: "give me what is after N and whatever comes after it, by whatever way there is": events with
//! names, acknowledgements, namespaces and rooms, over Engine.IO, which begins with HTTP long polling and
//! goes on to WebSocket where that gets through
//! (<https://github.com/socketio/socket.io-protocol>, revision 5).
//!
//! | | what it is | where its bytes are |
//! | --- | --- | --- |
//! | event | a message with a name and arguments: `mail`, `gap`, `read`, `say` | `42["mail",…]` |
//! | acknowledgement | the answer to one event, by its number: with `--reply` that a mail was read | `421["mail",…]`, `431[{"read":1}]` |
//! | namespace | a channel of its own on the same session: `/`, and with `--echo` `/custom` | `40/custom,` |
//! | room | whom a server means together: `inbox` has all who read the mailbox | nowhere: only the server knows |
//!
//! How the sessions come about is in [`client`] and [`websocket`], and why the library's own transports are
//! not used in [`engine`].

mod arguments;
mod client;
mod engine;
mod entry;
mod front;
mod names;
mod requests;
mod server;
mod session;
mod websocket;

pub use entry::TECHNIQUE;
