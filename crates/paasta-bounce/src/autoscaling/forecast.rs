//! What the load will be (marathon-and-bounce.md §10.3).

use crate::autoscaling::{History, Point};

/// Seconds that a moving average looks back where the settings say nothing.
pub const MOVING_AVERAGE_SECONDS: f64 = 1800.0;

/// How the load is told from its history.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Forecast {
    /// `current`: as it is now.
    #[default]
    Current,
    /// `moving_average`: the mean of the last while.
    MovingAverage {
        /// Seconds to look back from the last point, which is counted as is one at the far end;
        /// [`MOVING_AVERAGE_SECONDS`] by default.
        window_seconds: f64,
    },
    /// `linreg`: the straight line nearest to the last while (least squares), taken further.
    LinReg {
        /// Seconds to look back, as with the moving average.
        window_seconds: f64,
        /// Seconds after the last point for which to tell the load; the highest counts.
        extrapolation_seconds: Vec<f64>,
        /// Load per second where there is one point only.
        default_slope: f64,
    },
}

impl Forecast {
    /// The load that is expected; none without a point to tell it from, or a time to tell it for.
    pub fn predict(&self, history: &History) -> Option<f64> {
        let points = history.points();
        let last = points.last()?;
        match self {
            Forecast::Current => Some(last.load),
            Forecast::MovingAverage { window_seconds } => {
                let recent = window(points, last, *window_seconds);
                (!recent.is_empty()).then(|| mean(recent.iter().map(|point| point.load)))
            }
            Forecast::LinReg { window_seconds, extrapolation_seconds, default_slope } => {
                let line = Line::nearest(&window(points, last, *window_seconds), *default_slope)?;
                let loads = extrapolation_seconds.iter().map(|seconds| line.at(last.at_seconds + seconds));
                loads.max_by(f64::total_cmp)
            }
        }
    }
}

fn window(points: &[Point], last: &Point, seconds: f64) -> Vec<Point> {
    let recent = last.at_seconds - seconds..=last.at_seconds;
    points.iter().filter(|point| recent.contains(&point.at_seconds)).copied().collect()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len();
    values.sum::<f64>() / count as f64
}

/// A line through the middle of its points. Times are counted from there: squares of seconds since 1970 would leave
/// no digits for the slope.
struct Line {
    middle: Point,
    slope: f64,
}

impl Line {
    fn nearest(points: &[Point], default_slope: f64) -> Option<Self> {
        let first = points.first()?;
        let at_seconds =
            first.at_seconds + mean(points.iter().map(|point| point.at_seconds - first.at_seconds));
        let middle = Point { at_seconds, load: mean(points.iter().map(|point| point.load)) };
        let (mut spread, mut both) = (0.0, 0.0);
        for point in points {
            let seconds = point.at_seconds - middle.at_seconds;
            spread += seconds * seconds;
            both += seconds * (point.load - middle.load);
        }
        let slope = match points.len() {
            1 => default_slope,
            // All at one time: nothing tells of a slope.
            _ if spread == 0.0 => 0.0,
            _ => both / spread,
        };
        Some(Self { middle, slope })
    }

    fn at(&self, seconds: f64) -> f64 {
        self.middle.load + self.slope * (seconds - self.middle.at_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: f64 = 1_600_000_000.0;

    fn history(points: &[(f64, f64)]) -> History {
        points.iter().map(|(at, load)| Point { at_seconds: T + at, load: *load }).collect()
    }

    fn linreg(window: f64, extrapolation: &[f64], slope: f64) -> Forecast {
        Forecast::LinReg {
            window_seconds: window,
            extrapolation_seconds: extrapolation.to_vec(),
            default_slope: slope,
        }
    }

    #[track_caller]
    fn check(forecast: &Forecast, points: &[(f64, f64)], want: Option<f64>) {
        let got = forecast.predict(&history(points));
        let near = got.zip(want).is_some_and(|(got, want)| (got - want).abs() < 1e-9);
        assert!(
            near || (got.is_none() && want.is_none()),
            "{forecast:?} of {points:?}: {got:?}, not {want:?}"
        );
    }

    #[test]
    fn forecasts_follow_the_specification() {
        check(&Forecast::Current, &[], None);
        check(&Forecast::Current, &[(0.0, 5.0), (60.0, 7.0)], Some(7.0));
        let average = Forecast::MovingAverage { window_seconds: MOVING_AVERAGE_SECONDS };
        check(&average, &[(-0.5, 90.0), (0.0, 1.0), (900.0, 2.0), (1800.0, 6.0)], Some(3.0));
        check(&average, &[(0.0, 4.0)], Some(4.0));
        check(&linreg(600.0, &[60.0], 0.0), &[(0.0, 1.0), (60.0, 2.0), (120.0, 3.0)], Some(4.0));
        check(&linreg(60.0, &[60.0], 0.0), &[(0.0, 90.0), (60.0, 2.0), (120.0, 3.0)], Some(4.0));
        check(&linreg(600.0, &[60.0, 0.0], 0.0), &[(0.0, 3.0), (60.0, 2.0)], Some(2.0));
        check(&linreg(600.0, &[1.0], 0.0), &[(0.0, 0.0), (1.0, 1.0), (2.0, 0.0), (3.0, 3.0)], Some(3.0));
        check(&linreg(600.0, &[600.0], 0.01), &[(0.0, 3.0)], Some(9.0));
        check(&linreg(600.0, &[600.0], 0.01), &[(0.0, 3.0), (0.0, 5.0)], Some(4.0));
        check(&linreg(600.0, &[], 0.0), &[(0.0, 3.0)], None);
        check(&linreg(-1.0, &[1.0], 0.0), &[(0.0, 3.0)], None);
    }
}
