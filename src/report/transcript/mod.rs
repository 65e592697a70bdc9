//! Drawing an inspection: every byte that crossed, and what it is. One file per format; what they
//! share lies beside them: `bytes` (how bytes are written), `scheme` (what a URL decides) and `state`
//! (what the server had to be told, and how often).

mod account;
mod bytes;
mod html;
mod json;
mod scheme;
mod state;
mod text;
mod view;
mod words;

pub use account::Account;
pub use words::Extent;
