//! What goes over the wire: answers of bounded length, and nothing in clear to other machines.

use crate::kms::{KmsError, KmsErrorKind};
use crate::remote::{MAX_ANSWER_LEN, is_this_machine, too_long};
use aws_sdk_kms::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_kms::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kms::error::BoxError;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;
use std::env::var;

/// Reads no answer that is too long to be one. What it refuses is not tried again if its length is told.
#[derive(Debug)]
pub(super) struct Bounded;

impl Intercept for Bounded {
    fn name(&self) -> &'static str {
        "Bounded"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        if body.content_length().is_some_and(|len| !usize::try_from(len).is_ok_and(|len| len <= MAX_ANSWER_LEN)) {
            return Err(too_long().into());
        }
        let whole = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(whole, MAX_ANSWER_LEN));
        Ok(())
    }
}

/// Sends nothing in clear to another machine, whoever said where the service is.
#[derive(Debug)]
pub(super) struct Private;

impl Intercept for Private {
    fn name(&self) -> &'static str {
        "Private"
    }

    fn read_before_signing(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Ok(check(context.request().uri())?)
    }
}

/// That nobody on the way reads what is sent to this URL and what comes back.
pub(super) fn check(url: &str) -> Result<(), KmsError> {
    let host = match url.split_once("://") {
        Some(("https", _)) => return Ok(()),
        Some(("http", rest)) => host(rest.split(['/', '?', '#']).next().unwrap_or_default()),
        _ => "",
    };
    let refused = |message: &str| Err(KmsError::new(KmsErrorKind::Validation, message));
    if !is_this_machine(host) {
        return refused("without TLS others could read the keys: write https, or the address of this machine");
    }
    if is_proxied(host) {
        return refused("the proxy of the environment could read the keys: set NO_PROXY to the host of the endpoint");
    }
    Ok(())
}

/// Whether the SDK would ask a proxy of the environment for what is in clear.
fn is_proxied(host: &str) -> bool {
    let proxies = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let proxied = proxies.into_iter().filter_map(|name| var(name).ok()).any(|proxy| !proxy.is_empty());
    let spared = var("NO_PROXY").or_else(|_| var("no_proxy")).unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    proxied && !spared.split(',').any(|spared| spared.trim() == host)
}

/// Without a port.
fn host(authority: &str) -> &str {
    let port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    authority.rsplit_once(':').filter(|(_, end)| port(end)).map_or(authority, |(host, _)| host)
}
