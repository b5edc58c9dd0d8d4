//! What the tests stand on: a running API, a client, and a worker played through the bus.

mod faulty_store;
mod fixture;
mod player;

pub(crate) use fixture::{Answer, Fixture, PATIENCE, eventually, next_data, next_event, spec};
pub(crate) use player::Player;
