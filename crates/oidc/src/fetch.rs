//! Asking the provider.

use std::time::Duration;

use ureq::Agent;
use ureq::http::header;

/// The whole of one question, from the look-up of the name to the last byte. Somebody waits in front of a browser.
const QUESTION_MAX: Duration = Duration::from_secs(5);

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// What was said.
    pub body: Vec<u8>,
}

/// The network. An answer longer than `most` bytes is an error, and a redirection is an answer.
pub trait Fetch: Send + Sync {
    /// Asks with `GET`.
    ///
    /// # Errors
    ///
    /// Says why there is no answer.
    fn get(&self, url: &str, most: u64) -> Result<Answer, String>;

    /// Sends a form, with an `Authorization` if there is one.
    ///
    /// # Errors
    ///
    /// Says why there is no answer.
    fn post(&self, url: &str, form: &str, authorization: Option<&str>, most: u64) -> Result<Answer, String>;
}

/// HTTP, with the well-known authorities for `https`. It follows no redirection and asks no proxy: what is asked is
/// what was configured.
#[derive(Debug)]
pub struct HttpFetch(Agent);

impl Default for HttpFetch {
    fn default() -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(QUESTION_MAX))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .build()
            .new_agent();
        Self(agent)
    }
}

impl HttpFetch {
    fn read(
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
        most: u64,
    ) -> Result<Answer, String> {
        let mut answer = answer.map_err(|error| error.to_string())?;
        let body = answer.body_mut().with_config().limit(most).read_to_vec();
        Ok(Answer { status: answer.status().as_u16(), body: body.map_err(|error| error.to_string())? })
    }
}

impl Fetch for HttpFetch {
    fn get(&self, url: &str, most: u64) -> Result<Answer, String> {
        Self::read(self.0.get(url).header(header::ACCEPT, "application/json").call(), most)
    }

    fn post(&self, url: &str, form: &str, authorization: Option<&str>, most: u64) -> Result<Answer, String> {
        let mut request = self
            .0
            .post(url)
            .header(header::ACCEPT, "application/json")
            .content_type("application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        Self::read(request.send(form), most)
    }
}
