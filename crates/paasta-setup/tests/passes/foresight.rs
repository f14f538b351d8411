//! What a look foretells is what the next pass does, where all goes well: dry runs show it.

use paasta_core::{Clock as _, Health};
use paasta_setup::{PassAction, PassState, look, target};

use crate::sim::{Shape, Sim, Want};

const PASSES_MAX: usize = 60;

fn foretold(sim: &Sim) -> Vec<String> {
    let target = target(&sim.wanted, sim.pass.renderer.as_ref(), sim.pass.drains.as_ref());
    let target = target.expect("the settings are good");
    let sighting = sim.fleet().of(&sim.wanted.id, target.rendered.homes.all());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let look = look(sighting, &target, None, &sim.pass.limits, sim.clock.now());
    sorted(&runtime.block_on(look).actions)
}

/// Drains of one pass may end in any order.
fn sorted(actions: &[PassAction]) -> Vec<String> {
    let mut actions: Vec<String> = actions.iter().map(|action| format!("{action:?}")).collect();
    actions.sort();
    actions
}

#[test]
fn every_pass_of_a_bounce_is_foretold() {
    for shape in [Shape::Marathon, Shape::Sets] {
        for method in ["brutal", "crossover", "downthenup", "upthendown"] {
            for delay_seconds in [0.0, 3.0] {
                let sim = Sim::new(shape, &Want { method, instances: 2, margin: 1.0 }, delay_seconds);
                sim.seed("old", "current", 2, Health::Alive);
                let mut passes = 0;
                loop {
                    let foretold = foretold(&sim);
                    let report = sim.run(None).expect("nothing hangs").expect("the settings are good");
                    let did: Vec<PassAction> =
                        report.actions.iter().map(|taken| taken.action.clone()).collect();
                    assert_eq!(foretold, sorted(&did), "{method}, {delay_seconds} s, pass {passes}");
                    if report.state == PassState::Steady {
                        break;
                    }
                    passes += 1;
                    assert!(passes < PASSES_MAX, "{method} does not end");
                    sim.step(1.0);
                }
                assert!(passes > 0, "{method} had something to do");
            }
        }
    }
}
