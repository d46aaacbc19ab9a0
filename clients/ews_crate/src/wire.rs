//! One request and its answer: the crate has the types and their XML, its user the transport.

use std::error::Error;

use base64::{Engine, prelude::BASE64_STANDARD};
use ews::{
    Operation, OperationResponse, ResponseClass,
    response::{ResponseCode, ResponseError},
    server_version::ExchangeServerVersion,
    soap::{Envelope, Header},
};

/// Whatever ends the program.
pub type Any<T> = Result<T, Box<dyn Error>>;

type Message<O> = <<O as Operation>::Response as OperationResponse>::Message;

/// A mailbox at an endpoint.
pub struct Client {
    agent: ureq::Agent,
    url: String,
    authorization: String,
    version: ExchangeServerVersion,
}

impl Client {
    /// Sends as Thunderbird does: the first request names an old version, later ones that of the first answer.
    pub fn new(url: &str, user: &str, password: &str) -> Self {
        let configuration = ureq::Agent::config_builder().http_status_as_error(false).build();
        Self {
            agent: configuration.into(),
            url: format!("{url}/EWS/Exchange.asmx"),
            authorization: format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))),
            version: ExchangeServerVersion::Exchange2007_SP1,
        }
    }

    /// Sends one operation; answers its messages, in order.
    pub fn call<O: Operation>(&mut self, operation: O) -> Any<Vec<ResponseClass<Message<O>>>> {
        let headers = vec![Header::RequestServerVersion { version: self.version }];
        let document = Envelope { headers, body: operation }.as_xml_document()?;
        let request = self.agent.post(&self.url).header("Authorization", &self.authorization);
        let mut answer = request.header("Content-Type", "text/xml; charset=utf-8").send(&document)?;
        let body = answer.body_mut().with_config().limit(100 << 20).read_to_vec()?;
        let envelope = Envelope::<O::Response>::from_xml_document(&body)
            .map_err(|error| format!("{}: {error}\n{}", name::<O>(), String::from_utf8_lossy(&body)))?;
        for header in &envelope.headers {
            if let Header::ServerVersionInfo(info) = header
                && let Some(version) = info.version.as_deref()
            {
                self.version = version.try_into().unwrap_or(ExchangeServerVersion::Exchange2013_SP1);
            }
        }
        Ok(envelope.body.into_response_messages())
    }

    /// Sends one operation that has one answer, of success.
    pub fn one<O: Operation>(&mut self, operation: O) -> Any<Message<O>> {
        let mut messages = self.call(operation)?;
        match (messages.pop(), messages.is_empty()) {
            (Some(ResponseClass::Success(message)), true) => Ok(message),
            (Some(ResponseClass::Error(error)), _) => Err(format!("{}: {error}", name::<O>()).into()),
            _ => Err(format!("{}: not one message of success", name::<O>()).into()),
        }
    }

    /// Sends one operation that must fail as a whole item; answers its code.
    pub fn refused<O: Operation>(&mut self, operation: O) -> Any<ResponseCode> {
        match self.call(operation)?.pop() {
            Some(ResponseClass::Error(ResponseError { response_code, .. })) => Ok(response_code),
            _ => Err(format!("{}: was not refused", name::<O>()).into()),
        }
    }

    /// The version that requests name now.
    pub fn version(&self) -> ExchangeServerVersion {
        self.version
    }
}

fn name<O: Operation>() -> &'static str {
    <O as Operation>::NAME
}
