//! Starts the same app on both simulated engines and prints how its tasks come up.

use paasta_core::{Action, HomeId, Timestamp};
use paasta_testkit::{RecordingEngine, SetsEngine, SimEngine, SimRenderer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = SimRenderer::app_id(&"svc.main".parse()?, "one");
    let create = Action::Create { home: HomeId::new("home"), app, body: r#"{"instances": 2}"#.to_owned() };
    let engines: [(&str, Box<dyn SimEngine>); 2] = [
        ("one app, one count", Box::new(RecordingEngine::new(["home"]))),
        ("sets and pods", Box::new(SetsEngine::new(["home"]))),
    ];
    for (name, engine) in engines {
        engine.apply(&create).await?;
        for second in 0..4 {
            engine.tick(Timestamp::from_millis(second * 1000));
            let tasks: Vec<_> = engine.truth().into_iter().flat_map(|app| app.tasks).collect();
            let states: Vec<_> =
                tasks.iter().map(|task| format!("{:?} {:?}", task.phase, task.health)).collect();
            println!("{name}, second {second}: {}", states.join(", "));
        }
    }
    Ok(())
}
