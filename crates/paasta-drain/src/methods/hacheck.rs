//! `hacheck`: marks the task down in the hacheck of its host (marathon-and-bounce.md §6.2, §7).

use async_trait::async_trait;
use futures_util::future::try_join_all;
use paasta_config::Map;
use paasta_core::{Registration, Task, Timestamp};

use super::{address, need_registrations};
use crate::client::send;
use crate::params::Params;
use crate::spool::summarize;
use crate::{
    DrainConfigError, DrainError, DrainMethod, DrainPlace, DrainStatus, DrainTiming, DrainTools, HttpClients,
    REASON, SpoolAnswer, parse_spool_answer,
};

const DELAY_SECONDS: f64 = 240.0;
/// Without an expiration of its own a drain lasts this many delays.
const EXPIRATION_PER_DELAY: f64 = 10.0;
/// Bytes of an answer that are read.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of an answer that an error quotes.
const QUOTE_BYTES_MAX: usize = 200;

pub(super) fn build(
    params: &Map,
    place: &DrainPlace,
    tools: &DrainTools,
) -> Result<Box<dyn DrainMethod>, DrainConfigError> {
    need_registrations("hacheck", place)?;
    Ok(Box::new(Hacheck {
        params: HacheckParams::read(params, tools.hacheck_port)?,
        registrations: place.registrations.clone(),
        http: tools.http.clone(),
    }))
}

/// `drain_method_params` of this method. Other keys are ignored, as they were before.
#[derive(Clone, Copy, Debug, PartialEq)]
struct HacheckParams {
    delay_seconds: f64,
    hacheck_port: u16,
    expiration_seconds: f64,
}

impl HacheckParams {
    fn read(params: &Map, default_port: u16) -> Result<Self, DrainConfigError> {
        let without_null = params.get_set("expiration").is_some();
        let params = Params::new(params);
        let delay_seconds = params.seconds("delay", DELAY_SECONDS)?;
        let given = if without_null { params.seconds("expiration", 0.0)? } else { 0.0 };
        Ok(Self {
            delay_seconds,
            hacheck_port: params.port("hacheck_port", default_port)?,
            expiration_seconds: if given == 0.0 { delay_seconds * EXPIRATION_PER_DELAY } else { given },
        })
    }
}

struct Hacheck {
    params: HacheckParams,
    registrations: Vec<Registration>,
    http: HttpClients,
}

impl Hacheck {
    /// One URL per registration, in their order.
    fn urls(&self, task: &Task) -> Result<Vec<String>, DrainError> {
        let (host, port) = address(task)?;
        let hacheck_port = self.params.hacheck_port;
        let url = |name| format!("http://{host}:{hacheck_port}/spool/{name}/{port}/status");
        Ok(self.registrations.iter().map(url).collect())
    }

    /// Posts the same form for all registrations at once.
    async fn post(&self, task: &Task, form: &[(&str, String)]) -> Result<(), DrainError> {
        // There is nothing to take out of a load balancer.
        if task.ports.is_empty() {
            return Ok(());
        }
        let urls = self.urls(task)?;
        try_join_all(urls.into_iter().map(|url| self.post_one(url, form))).await?;
        Ok(())
    }

    async fn post_one(&self, url: String, form: &[(&str, String)]) -> Result<(), DrainError> {
        let answer = send(self.http.changes.post(&url).form(form), &url).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let body = read_body(answer).await.unwrap_or_default();
        Err(DrainError::Refused { url, status: status.as_u16(), body: quote(&body) })
    }

    async fn ask_one(&self, url: String) -> Result<SpoolAnswer, DrainError> {
        let answer = send(self.http.questions.get(&url), &url).await?;
        let status = answer.status().as_u16();
        let unreachable = |source| DrainError::Unreachable { url: url.clone(), source };
        let body = read_body(answer).await.map_err(unreachable)?;
        parse_spool_answer(status, &body).ok_or_else(|| DrainError::Unreadable {
            url: url.clone(),
            status,
            body: quote(&body),
        })
    }
}

#[async_trait]
impl DrainMethod for Hacheck {
    fn timing(&self) -> DrainTiming {
        DrainTiming {
            delay_seconds: Some(self.params.delay_seconds),
            expiration_seconds: Some(self.params.expiration_seconds),
        }
    }

    async fn drain(&self, task: &Task, now: Timestamp) -> Result<(), DrainError> {
        let expiration = now.plus_seconds(self.params.expiration_seconds).seconds();
        let form = [
            ("status", "down".to_owned()),
            ("expiration", expiration.to_string()),
            ("reason", REASON.to_owned()),
        ];
        self.post(task, &form).await
    }

    async fn stop_draining(&self, task: &Task) -> Result<(), DrainError> {
        self.post(task, &[("status", "up".to_owned())]).await
    }

    async fn status(&self, task: &Task) -> Result<DrainStatus, DrainError> {
        let answers = try_join_all(self.urls(task)?.into_iter().map(|url| self.ask_one(url))).await?;
        Ok(summarize(&answers, self.params.delay_seconds))
    }
}

/// The answer's beginning, as text.
async fn read_body(mut answer: reqwest::Response) -> Result<String, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() >= BODY_BYTES_MAX {
            body.truncate(BODY_BYTES_MAX);
            break;
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn quote(body: &str) -> String {
    body.trim().chars().take(QUOTE_BYTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use paasta_config::{Node, Value};

    use super::*;

    fn read(entries: &[(&str, Value)]) -> Result<HacheckParams, DrainConfigError> {
        HacheckParams::read(
            &entries.iter().map(|(key, value)| (Node::text(*key), Node::new(value.clone()))).collect(),
            crate::HACHECK_PORT,
        )
    }

    /// Behaviour of PaaSTA's `HacheckDrainMethod.__init__`.
    #[test]
    fn parameters() {
        let shown = |entries: &[(&str, Value)]| {
            read(entries).map(|p| (p.delay_seconds, p.hacheck_port, p.expiration_seconds))
        };
        assert_eq!(shown(&[]), Ok((240.0, 6666, 2400.0)));
        assert_eq!(shown(&[("delay", Value::Int(60))]), Ok((60.0, 6666, 600.0)));
        assert_eq!(shown(&[("delay", Value::String("1.5".into()))]), Ok((1.5, 6666, 15.0)));
        assert_eq!(shown(&[("expiration", Value::Float(7.0))]), Ok((240.0, 6666, 7.0)));
        assert_eq!(shown(&[("expiration", Value::Int(0))]), Ok((240.0, 6666, 2400.0)));
        assert_eq!(shown(&[("expiration", Value::Null)]), Ok((240.0, 6666, 2400.0)));
        assert_eq!(shown(&[("hacheck_port", Value::Int(3333))]), Ok((240.0, 3333, 2400.0)));
        assert_eq!(shown(&[("other", Value::Null)]), Ok((240.0, 6666, 2400.0)));
        for (key, bad) in [
            ("delay", Value::Null),
            ("delay", Value::String("soon".into())),
            ("delay", Value::Float(f64::NAN)),
            ("delay", Value::Int(-1)),
            ("hacheck_port", Value::Int(0)),
            ("hacheck_port", Value::Int(65536)),
            ("expiration", Value::List(vec![])),
        ] {
            assert!(read(&[(key, bad.clone())]).is_err(), "{key} {bad:?}");
        }
    }
}
