//! What all handlers share: the exchange, the limits on what runs at once, and answers that are made only once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use exchange::Exchange;
use hyper::http::HeaderValue;
use programme::Programme;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::body::BUDGET_UNIT_BYTES;
use crate::budget::{Answers, Budget};
use crate::metrics::Metrics;
use crate::options::HubOptions;
use crate::quota::Quotas;
use crate::refusal::Refusal;
use crate::taxii21::Prebuilt;

/// How many bytes of decisions are in memory at once.
const DECISIONS_MAX_BYTES: usize = 16 * 1024 * 1024;
/// How many decisions wait for the writer at once. They have places of their own, so that publications do not take them.
const DECIDING_MAX: usize = 16;
/// How many questions to the rules are worked on at once. One may take a second of computing, and a member may ask; so
/// they have places of their own, and polls are read beside them.
const QUESTIONS_MAX: usize = 4;

/// The hub, shared by all requests. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Hub(Arc<HubState>);

impl std::ops::Deref for Hub {
    type Target = HubState;

    fn deref(&self) -> &HubState {
        &self.0
    }
}

pub(crate) struct HubState {
    pub(crate) exchange: Exchange,
    pub(crate) options: HubOptions,
    pub(crate) metrics: Metrics,
    /// The two values of `WWW-Authenticate`.
    pub(crate) challenges: [HeaderValue; 2],
    /// Memory for submissions that are on their way, and for those that have come.
    pub(crate) arriving: Budget,
    pub(crate) whole: Budget,
    /// The same for decisions.
    pub(crate) decisions: Budget,
    pub(crate) decisions_whole: Budget,
    pub(crate) streams: Budget,
    /// What members have used of what they may have in a time.
    pub(crate) quotas: Quotas,
    /// Pages that are on their way out.
    pub(crate) answers: Arc<Answers>,
    pub(crate) verifications: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    deciding: Arc<Semaphore>,
    questions: Arc<Semaphore>,
    requests: AtomicU64,
    prebuilt: RwLock<Option<Arc<Prebuilt>>>,
}

impl Hub {
    pub(crate) fn new(
        exchange: Exchange,
        options: HubOptions,
        paths: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let programme = exchange.programme();
        let challenges = taxii::challenges(&programme.settings().title).map(|challenge| {
            HeaderValue::try_from(challenge)
                .unwrap_or_else(|_| HeaderValue::from_static("Basic realm=\"ringfence\""))
        });
        let half = |bytes: usize| {
            let units = bytes / BUDGET_UNIT_BYTES / 2;
            Budget::new(units, units / 2)
        };
        Self(Arc::new(HubState {
            metrics: Metrics::new(paths),
            challenges,
            arriving: half(options.bodies_max_bytes),
            whole: half(options.bodies_max_bytes),
            decisions: half(DECISIONS_MAX_BYTES),
            decisions_whole: half(DECISIONS_MAX_BYTES),
            quotas: Quotas::default(),
            answers: Arc::new(Answers::new(
                options.answers_max_bytes,
                options.answers_per_principal_max_bytes,
            )),
            streams: Budget::new(options.streams_max, options.streams_per_principal_max),
            verifications: Arc::new(Semaphore::new(options.verifications_max)),
            reads: Arc::new(Semaphore::new(options.reads_max)),
            writes: Arc::new(Semaphore::new(options.writes_max)),
            deciding: Arc::new(Semaphore::new(DECIDING_MAX)),
            questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            requests: AtomicU64::new(0),
            prebuilt: RwLock::default(),
            exchange,
            options,
        }))
    }

    /// Runs a read on a blocking thread.
    pub(crate) async fn read<T, E>(
        &self,
        work: impl FnOnce(&Exchange) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        E: Into<Refusal> + Send + 'static,
    {
        self.run(&self.reads, work).await
    }

    /// Runs a publication, which waits for the writer, on a blocking thread.
    pub(crate) async fn write<T, E>(
        &self,
        work: impl FnOnce(&Exchange) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        E: Into<Refusal> + Send + 'static,
    {
        self.run(&self.writes, work).await
    }

    /// Runs a decision, which waits for the writer as well, on a blocking thread.
    pub(crate) async fn decide<T, E>(
        &self,
        work: impl FnOnce(&Exchange) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        E: Into<Refusal> + Send + 'static,
    {
        self.run(&self.deciding, work).await
    }

    /// Asks the rules something, on a blocking thread.
    pub(crate) async fn question<T, E>(
        &self,
        work: impl FnOnce(&Exchange) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        E: Into<Refusal> + Send + 'static,
    {
        self.run(&self.questions, work).await
    }

    async fn run<T, E>(
        &self,
        permits: &Arc<Semaphore>,
        work: impl FnOnce(&Exchange) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        E: Into<Refusal> + Send + 'static,
    {
        let permit = Arc::clone(permits).acquire_owned().await.map_err(Refusal::internal)?;
        let hub = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            // The permit goes with the work: a client that hangs up does not make room for another.
            let _permit = permit;
            work(&hub.exchange)
        });
        done.await.map_err(Refusal::internal)?.map_err(Into::into)
    }

    /// An id for a request: unique, and telling nothing of how many there were.
    pub(crate) fn request_id(&self) -> String {
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut hash = Sha256::new();
        hash.update(self.options.seed);
        hash.update(count.to_le_bytes());
        hex::encode(&hash.finalize()[..16])
    }

    /// The answers that follow from the programme alone, made anew when the programme in force is another.
    pub(crate) fn prebuilt(&self) -> Arc<Prebuilt> {
        let programme: Arc<Programme> = self.exchange.programme();
        let known = self.prebuilt.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| Arc::ptr_eq(&known.programme, &programme)) {
            return known;
        }
        let made = Arc::new(Prebuilt::new(programme, self.options.public_url.as_deref()));
        *self.prebuilt.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&made));
        made
    }
}
