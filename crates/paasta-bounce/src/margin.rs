//! The margin factor of crossover.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The part of the wanted instances that must be up during a crossover bounce: above 0, at most 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct MarginFactor(f64);

impl MarginFactor {
    /// Takes a number above 0 and at most 1.
    pub fn new(value: f64) -> Result<Self, MarginError> {
        if value > 0.0 && value <= 1.0 { Ok(Self(value)) } else { Err(MarginError(value)) }
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }

    /// How many of `instances` must be up: the product of doubles, rounded up (marathon-and-bounce.md §4.2: 100 at
    /// 0.07 are 8).
    pub fn needed(self, instances: usize) -> usize {
        (instances as f64 * self.0).ceil() as usize
    }
}

impl Default for MarginFactor {
    fn default() -> Self {
        Self(1.0)
    }
}

impl TryFrom<f64> for MarginFactor {
    type Error = MarginError;

    fn try_from(value: f64) -> Result<Self, MarginError> {
        Self::new(value)
    }
}

impl From<MarginFactor> for f64 {
    fn from(margin: MarginFactor) -> f64 {
        margin.0
    }
}

/// A number that cannot be a margin factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarginError(pub f64);

impl fmt::Display for MarginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "margin factor `{}` is not above 0 and at most 1", self.0)
    }
}

impl std::error::Error for MarginError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needed_is_the_product_of_doubles_rounded_up() {
        let needed = |instances, margin| MarginFactor::new(margin).expect("a margin").needed(instances);
        assert_eq!(needed(100, 0.29), 29);
        assert_eq!(needed(100, 0.07), 8);
        assert_eq!(needed(5, 0.5), 3);
        assert_eq!(needed(0, 1.0), 0);
    }

    #[test]
    fn only_numbers_in_range_are_margins() {
        for bad in [0.0, -0.1, 1.0001, f64::NAN, f64::INFINITY] {
            assert!(MarginFactor::new(bad).is_err(), "{bad}");
        }
        assert!(MarginFactor::new(1.0).is_ok());
    }
}
