//! What holds of every autoscaling decision (marathon-and-bounce.md §10).

use paasta_bounce::autoscaling::*;
use proptest::prelude::*;

fn situations() -> impl Strategy<Value = Situation> {
    (1..500i64, 0..600usize, 0..100i64, 0..500i64, 0.05..1.5f64, 0.0..3.0f64, -50..500i64).prop_map(
        |(min, healthy, less, more, setpoint, utilization, current)| Situation {
            current: current.clamp(min, min + more),
            healthy,
            min: (min - less).max(0),
            max: min + more,
            setpoint,
            utilization,
            now_seconds: 1_600_000_000.0,
        },
    )
}

fn forecasts() -> impl Strategy<Value = Forecast> {
    let extrapolation = proptest::collection::vec(0.0..3600.0f64, 1..4);
    prop_oneof![
        Just(Forecast::Current),
        (0.0..4000.0f64).prop_map(|window_seconds| Forecast::MovingAverage { window_seconds }),
        (0.0..4000.0f64, extrapolation, -0.1..0.1f64).prop_map(
            |(window_seconds, extrapolation_seconds, default_slope)| Forecast::LinReg {
                window_seconds,
                extrapolation_seconds,
                default_slope,
            }
        ),
    ]
}

fn policies() -> impl Strategy<Value = Policy> {
    let window = proptest::option::of((0.0..1.0f64, 0.0..2.0f64));
    prop_oneof![
        Just(Policy::Threshold),
        (-0.5..0.04f64, window, forecasts()).prop_map(|(offset, good_enough_window, forecast)| {
            Policy::Proportional(Proportional { offset, good_enough_window, forecast })
        }),
    ]
}

fn histories() -> impl Strategy<Value = History> {
    proptest::collection::vec((0.0..7200.0f64, 0.0..500.0f64), 0..30).prop_map(|points| {
        let point = |(before, load): (f64, f64)| Point { at_seconds: 1_600_000_000.0 - before, load };
        points.into_iter().map(point).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_stay_within_bounds_and_never_fall_fast(
        policy in policies(), situation in situations(), history in histories(),
    ) {
        let decision = decide(&policy, &situation, &history).expect("a decision");
        prop_assert!((situation.min..=situation.max).contains(&decision.to), "{:?}", decision);
        prop_assert!(decision.to >= (situation.current as f64 * 0.7) as i64, "{:?}", decision);
        prop_assert!(!decision.insufficient_data || decision.to >= situation.current);
        prop_assert!(!decision.insufficient_data || decision.history.is_none());
        prop_assert_eq!(decision.write().is_some(), decision.to != situation.current);
    }

    #[test]
    fn busier_tasks_are_never_made_fewer(situation in situations(), more in 0.0..2.0f64, threshold in any::<bool>()) {
        let policy = if threshold { Policy::Threshold } else { Policy::Proportional(Proportional::default()) };
        let to = |utilization| {
            let situation = Situation { utilization, ..situation };
            decide(&policy, &situation, &History::default()).expect("a decision").to
        };
        prop_assert!(to(situation.utilization) <= to(situation.utilization + more));
    }

    #[test]
    fn forecasts_stay_near_what_they_tell_from(history in histories(), level in 0.0..100.0f64) {
        let flat: History = history.points().iter().map(|point| Point { load: level, ..*point }).collect();
        let line = Forecast::LinReg {
            window_seconds: 7200.0, extrapolation_seconds: vec![0.0, 600.0], default_slope: 0.0,
        };
        for forecast in [Forecast::Current, Forecast::MovingAverage { window_seconds: 1800.0 }, line] {
            if let Some(load) = forecast.predict(&flat) {
                prop_assert!((load - level).abs() < 1e-6, "{:?}: {} of {}", forecast, load, level);
            }
        }
    }

    #[test]
    fn histories_survive_being_written(history in histories()) {
        prop_assert_eq!(History::decode(&history.encode()), Ok(history));
    }

    #[test]
    fn no_bytes_and_no_text_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), text in ".*") {
        let _ = CpuSample::parse(&text, 1).map(|sample| sample.data());
        let paused = is_paused(Some(&text), 0.0);
        prop_assert!(!paused || text.trim().parse::<f64>().is_ok());
        if let Ok(history) = History::decode(&bytes) {
            let situation = Situation {
                current: 5, healthy: 5, min: 1, max: 9, setpoint: 0.8, utilization: 0.5, now_seconds: 1.0,
            };
            for forecast in [
                Forecast::Current,
                Forecast::MovingAverage { window_seconds: f64::INFINITY },
                Forecast::LinReg {
                    window_seconds: f64::INFINITY, extrapolation_seconds: vec![1.0], default_slope: 0.0,
                },
            ] {
                let policy = Policy::Proportional(Proportional { forecast, ..Proportional::default() });
                if let Ok(decision) = decide(&policy, &situation, &history) {
                    prop_assert!((1..=9).contains(&decision.to));
                }
            }
        }
    }
}
