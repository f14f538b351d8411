//! `http`: asks the task itself over URLs that the service's author names (marathon-and-bounce.md §6.3).

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use paasta_config::{Map, Value};
use paasta_core::{Registration, Task, Timestamp};

use super::{address, need_registrations};
use crate::client::send;
use crate::format::Template;
use crate::params::Params;
use crate::success_codes::SuccessCodes;
use crate::{
    DrainConfigError, DrainError, DrainMethod, DrainPlace, DrainState, DrainStatus, DrainTiming, DrainTools,
    HttpClients, SafeToKill,
};

/// Seconds for one request.
const REQUEST_SECONDS_MAX: u64 = 15;
const PLACEHOLDERS: &[&str] = &["host", "port", "service", "instance", "nerve_ns"];

pub(super) fn build(
    params: &Map,
    place: &DrainPlace,
    tools: &DrainTools,
) -> Result<Box<dyn DrainMethod>, DrainConfigError> {
    need_registrations("http", place)?;
    let params = HttpParams::read(params)?;
    Ok(Box::new(Http { params, place: place.clone(), http: tools.http.clone() }))
}

/// `drain_method_params` of this method: exactly these four.
struct HttpParams {
    drain: HttpCall,
    stop_draining: HttpCall,
    is_draining: HttpCall,
    is_safe_to_kill: HttpCall,
}

/// How one operation is asked.
struct HttpCall {
    url_format: Template,
    method: reqwest::Method,
    success_codes: SuccessCodes,
}

impl HttpParams {
    fn read(params: &Map) -> Result<Self, DrainConfigError> {
        let params = Params::new(params);
        params.only(&["drain", "stop_draining", "is_draining", "is_safe_to_kill"])?;
        let call = |key| HttpCall::read(&params.map(key)?);
        Ok(Self {
            drain: call("drain")?,
            stop_draining: call("stop_draining")?,
            is_draining: call("is_draining")?,
            is_safe_to_kill: call("is_safe_to_kill")?,
        })
    }
}

impl HttpCall {
    fn read(params: &Params<'_>) -> Result<Self, DrainConfigError> {
        Ok(Self {
            url_format: read_url_format(params)?,
            method: read_method(params)?,
            success_codes: read_success_codes(params)?,
        })
    }
}

fn read_url_format(params: &Params<'_>) -> Result<Template, DrainConfigError> {
    let node = params.required("url_format", "a string")?;
    Template::parse(params.text("url_format")?, PLACEHOLDERS).map_err(|problem| {
        let names = PLACEHOLDERS.join(", ");
        params.wrong("url_format", node, &format!("a URL with placeholders among {names} ({problem})"))
    })
}

fn read_method(params: &Params<'_>) -> Result<reqwest::Method, DrainConfigError> {
    let method = params.text_or("method", "GET")?.to_ascii_uppercase();
    reqwest::Method::from_bytes(method.as_bytes()).or_else(|_| {
        Err(params.wrong("method", params.required("method", "an HTTP method")?, "an HTTP method"))
    })
}

fn read_success_codes(params: &Params<'_>) -> Result<SuccessCodes, DrainConfigError> {
    const EXPECTED: &str = "an HTTP status, or a list such as \"200-203,409\"";
    let node = params.required("success_codes", EXPECTED)?;
    let codes = match &node.value {
        Value::Int(code) => u16::try_from(*code).ok().map(SuccessCodes::one),
        Value::String(text) => SuccessCodes::parse(text),
        _ => None,
    };
    codes.ok_or_else(|| params.wrong("success_codes", node, EXPECTED))
}

struct Http {
    params: HttpParams,
    place: DrainPlace,
    http: HttpClients,
}

impl Http {
    /// Asks once per registration, all at once; every answer has to be acceptable.
    async fn call(&self, http: &reqwest::Client, call: &HttpCall, task: &Task) -> Result<(), DrainError> {
        let (host, port) = address(task)?;
        let urls =
            self.place.registrations.iter().map(|registration| self.url(call, &host, port, registration));
        try_join_all(urls.map(|url| self.call_one(http, call, url))).await?;
        Ok(())
    }

    fn url(&self, call: &HttpCall, host: &str, port: u16, registration: &Registration) -> String {
        call.url_format.fill(|name| match name {
            "host" => host.to_owned(),
            "port" => port.to_string(),
            "service" => self.place.service.to_string(),
            "instance" => self.place.instance.to_string(),
            _ => registration.to_string(),
        })
    }

    async fn call_one(&self, http: &reqwest::Client, call: &HttpCall, url: String) -> Result<(), DrainError> {
        let request = http.request(call.method.clone(), &url);
        let answer = send(request.timeout(Duration::from_secs(REQUEST_SECONDS_MAX)), &url).await?;
        let status = answer.status().as_u16();
        if call.success_codes.accept(status) {
            return Ok(());
        }
        Err(DrainError::StatusCodeNotAcceptable { url, status, expected: call.success_codes.to_string() })
    }

    /// As [`Http::call`], where an answer that is not acceptable means no.
    async fn question(&self, call: &HttpCall, task: &Task) -> Result<bool, DrainError> {
        match self.call(&self.http.questions, call, task).await {
            Ok(()) => Ok(true),
            Err(DrainError::StatusCodeNotAcceptable { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl DrainMethod for Http {
    fn timing(&self) -> DrainTiming {
        DrainTiming::default()
    }

    async fn drain(&self, task: &Task, _now: Timestamp) -> Result<(), DrainError> {
        self.call(&self.http.changes, &self.params.drain, task).await
    }

    async fn stop_draining(&self, task: &Task) -> Result<(), DrainError> {
        self.call(&self.http.changes, &self.params.stop_draining, task).await
    }

    async fn status(&self, task: &Task) -> Result<DrainStatus, DrainError> {
        let draining = self.question(&self.params.is_draining, task);
        let safe = self.question(&self.params.is_safe_to_kill, task);
        let (draining, safe) = futures_util::future::try_join(draining, safe).await?;
        Ok(DrainStatus {
            state: match draining {
                true => DrainState::Draining { since: None, until: None, reason: None, by_us: true },
                false => DrainState::Serving,
            },
            safe: if safe { SafeToKill::Now } else { SafeToKill::NotYet },
        })
    }

    async fn is_draining(&self, task: &Task) -> Result<bool, DrainError> {
        self.question(&self.params.is_draining, task).await
    }

    async fn is_safe_to_kill(&self, task: &Task, _now: Timestamp) -> Result<bool, DrainError> {
        self.question(&self.params.is_safe_to_kill, task).await
    }
}
