//! What all pages share: the exchange, the sessions, and limits on what runs at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use exchange::Exchange;
use hmac::{Hmac, Mac as _};
use model::Caller;
use sha2::Sha256;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::assets::Assets;
use crate::attempts::Attempts;
use crate::options::ConsoleOptions;
use crate::pages::ties::import::Previewed;
use crate::problem::Problem;
use crate::sessions::{Session, Sessions};
use crate::uploads::Uploads;

/// How long a link that signs in once can be used.
const LINK_MAX: Duration = Duration::from_hours(1);

/// How many questions to the provider are under way at once.
const SIGN_INS_MAX: usize = 8;

/// The console, shared by all requests. Cheap to clone.
#[derive(Clone)]
pub struct Console(Arc<ConsoleState>);

impl std::ops::Deref for Console {
    type Target = ConsoleState;

    fn deref(&self) -> &ConsoleState {
        &self.0
    }
}

/// What [`Console`] shares.
pub struct ConsoleState {
    pub(crate) exchange: Exchange,
    pub(crate) options: ConsoleOptions,
    pub(crate) sessions: Sessions,
    pub(crate) assets: Assets,
    pub(crate) attempts: Attempts,
    /// Imports that were previewed and wait for a yes.
    pub(crate) uploads: Uploads<Arc<Previewed>>,
    /// Folders of programmes that are not in force, to be compared.
    pub(crate) candidates: Uploads<Arc<BTreeMap<String, Vec<u8>>>>,
    /// Binds the form for signing in to a cookie.
    key: [u8; 32],
    reads: Arc<Semaphore>,
    decisions: Arc<Semaphore>,
    verifications: Arc<Semaphore>,
    sign_ins: Arc<Semaphore>,
    live: Arc<Semaphore>,
}

impl Console {
    /// A console over an exchange.
    #[must_use]
    pub fn new(exchange: Exchange, options: ConsoleOptions) -> Self {
        let mut key = [0; 32];
        (options.random)(&mut key);
        let mut attempts_key = [0; 32];
        (options.random)(&mut attempts_key);
        Self(Arc::new(ConsoleState {
            sessions: Sessions::new(options.idle_max, options.session_max),
            assets: Assets::new(),
            uploads: Uploads::default(),
            attempts: Attempts::new(attempts_key),
            candidates: Uploads::default(),
            key,
            reads: Arc::new(Semaphore::new(options.pages_max)),
            decisions: Arc::new(Semaphore::new(options.decisions_max)),
            verifications: Arc::new(Semaphore::new(options.verifications_max)),
            sign_ins: Arc::new(Semaphore::new(SIGN_INS_MAX)),
            live: Arc::new(Semaphore::new(options.live_max)),
            exchange,
            options,
        }))
    }

    /// A path that signs somebody in once, within an hour, and goes on to `next`: for a first look.
    #[must_use]
    pub fn link_once(&self, caller: Caller, next: &str) -> String {
        let token = self.random_token();
        self.sessions.offer(&token, caller, self.exchange.now() + LINK_MAX);
        format!("/sign-in/once/{token}?next={}", crate::query::encode(next))
    }

    /// Asks the exchange something, on a blocking thread.
    pub(crate) async fn read<T, E>(
        &self,
        work: impl FnOnce(&Exchange) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
    {
        self.run(&self.reads, work).await
    }

    /// Has the exchange do something, which waits for its writer, on a blocking thread.
    pub(crate) async fn decide<T, E>(
        &self,
        work: impl FnOnce(&Exchange) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
    {
        self.run(&self.decisions, work).await
    }

    /// Has the exchange verify or keep a password, on a blocking thread. Strangers who try some take places of their own,
    /// and nobody's page waits for them.
    pub(crate) async fn verify<T, E>(
        &self,
        work: impl FnOnce(&Exchange) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
    {
        self.run(&self.verifications, work).await
    }

    /// Asks the provider by whom people sign in, on a blocking thread. It may take seconds, so it has a place of its own.
    pub(crate) async fn ask_provider<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Exchange) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.run(&self.sign_ins, work).await
    }

    /// A place for one more page that is kept up to date, of the session's and of all.
    pub(crate) fn live_place(&self, session: &Session) -> Option<[OwnedSemaphorePermit; 2]> {
        Some([session.live_place()?, Arc::clone(&self.live).try_acquire_owned().ok()?])
    }

    async fn run<T, E>(
        &self,
        permits: &Arc<Semaphore>,
        work: impl FnOnce(&Exchange) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
    {
        let permit = Arc::clone(permits).acquire_owned().await.map_err(Problem::internal)?;
        let exchange = self.exchange.clone();
        let done = tokio::task::spawn_blocking(move || {
            // The permit goes with the work: a browser that hangs up does not make room for another.
            let _permit = permit;
            work(&exchange)
        });
        done.await.map_err(Problem::internal)?.map_err(Into::into)
    }

    /// 256 random bits, as text that can stand in cookies and paths.
    pub(crate) fn random_token(&self) -> String {
        let mut bytes = [0; 32];
        (self.options.random)(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A random UUID (RFC 9562 §5.4).
    pub(crate) fn random_uuid(&self) -> String {
        let mut bytes = [0; 16];
        (self.options.random)(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = hex::encode(bytes);
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        parts.join("-")
    }

    /// What the form for signing in carries, for a browser that has this cookie.
    pub(crate) fn token_before(&self, cookie: &str) -> String {
        let mut mac =
            <Hmac<Sha256> as hmac::Mac>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(cookie.as_bytes());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}
