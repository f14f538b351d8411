//! One file per bounce method.

mod brutal;
mod crossover;
mod down;
mod downthenup;
mod upthendown;

pub(crate) use brutal::Brutal;
pub(crate) use crossover::Crossover;
pub(crate) use down::Down;
pub(crate) use downthenup::DownThenUp;
pub(crate) use upthendown::UpThenDown;
