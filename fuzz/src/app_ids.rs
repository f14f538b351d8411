//! Ids put together and taken apart.

use paasta_core::{AppId, GitSha, InstanceId, InstanceName, Registration, ServiceName};
use paasta_marathon::{app_id, config_hash};

/// Lines: service, instance, image, hash input, and the id of another instance.
pub fn app_ids(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (service, instance, image, input, other) = (next(), next(), next(), next(), next());
    takes_any(service);
    takes_any(other);
    let (Ok(service), Ok(instance)) = (ServiceName::new(service), InstanceName::new(instance)) else {
        return;
    };
    let id = InstanceId::new(service, instance);
    let hash = config_hash(input);
    assert!(hash.len() == 14 && hash.starts_with("config") && hash.is_ascii());
    let app = app_id(&id, image, &hash);
    assert!(app.belongs_to(&id), "{app} is no app of {id}");
    assert!(!app.as_str().contains('_') && !id.short_id().contains('_'));
    assert!(app.as_str().ends_with(&hash));
    assert_eq!(AppId::new(format!("/{app}")), AppId::new(app.as_str()));
    decompose(&id, &app);
    if let Ok(other) = other.parse::<InstanceId>() {
        apart(&id, &other, &app);
    }
}

/// What is composed of names without dots comes apart into the same names.
fn decompose(id: &InstanceId, app: &AppId) {
    if id.service().as_str().contains('.') || id.instance().as_str().contains('.') {
        return;
    }
    assert_eq!(id.to_string().parse().as_ref(), Ok(id));
    let long = format!("{id}.git1.config2");
    assert_eq!(long.parse().as_ref(), Ok(id), "{long}");
    assert_eq!(app.short_id(), id.short_id());
    // `--` stands for `_`, so names that hold it, or come to it, cannot be told from others.
    let plain = |name: &str| !name.contains("--") && !name.contains("-_");
    if plain(id.service().as_str()) && plain(id.instance().as_str()) {
        assert_eq!(app.short_id().replace("--", "_").parse().as_ref(), Ok(id));
    }
}

/// An app belongs to one instance, and to another only if nobody could tell the two apart.
fn apart(id: &InstanceId, other: &InstanceId, app: &AppId) {
    let dotted =
        |id: &InstanceId| id.service().as_str().contains('.') || id.instance().as_str().contains('.');
    if !dotted(id) && !dotted(other) {
        assert_eq!(app.belongs_to(other), id.short_id() == other.short_id(), "{app}, {other}");
    }
}

/// Every text is an id or an error, and an id reads as itself.
fn takes_any(text: &str) {
    if let Ok(id) = text.parse::<InstanceId>() {
        let parts = text.split('.').count();
        assert!(parts == 2 || parts == 4, "{text}");
        assert_eq!(id.to_string().parse().as_ref(), Ok(&id));
    }
    if let Ok(registration) = Registration::new(text) {
        assert_eq!(registration.as_str(), text);
        assert!(text.starts_with(&format!("{}.{}", registration.service(), registration.namespace())));
    }
    if let Ok(sha) = GitSha::new(text) {
        assert!(text.starts_with(sha.short()));
    }
    let app = AppId::new(text);
    assert!(app.as_str().starts_with(app.short_id()));
}
