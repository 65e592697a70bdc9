//! What advice says: what each technique would cost one client and all of them, which one to take, and why.

mod view;
mod words;
