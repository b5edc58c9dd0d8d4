//! The frames that a worker and the init in its containers speak.
//!
//! The program itself is `src/main.rs`. This library is what both sides share: the messages, and the codec
//! that turns them into bounded, versioned frames. Neither side trusts the other's bytes.

pub mod codec;
pub mod message;
