//! Flows, as exporters tell of them.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use flows::{
    Alert, Client, Collector, Hit, Judge as FlowJudge, Origin, Settings, Shown, Sink, Target, hand_out,
    listen, write,
};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::config::{Config, Flows, Service};
use crate::customers::{CustomerId, Customers};
use crate::judge::Judge;
use crate::occurrence::Action;
use crate::run::StartError;

/// How many alerts may wait for each place where they are written.
const ALERTS_WAITING: usize = 10_000;
/// Of one hit that stands for many flows so many are counted one by one.
const FLOWS_COUNTED_MAX: u64 = 1_000;
/// Security messages (RFC 5424 §6.2.1).
const FACILITY: u8 = 4;

/// An exporter's view of the judge.
struct FlowFace {
    judge: Arc<Judge>,
    /// Whose the listener is.
    customer: RwLock<CustomerId>,
}

impl FlowFace {
    fn customer(&self) -> CustomerId {
        *self.customer.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FlowJudge for FlowFace {
    fn address(&self, _client: &Client<'_>, address: IpAddr, slots: &mut Vec<u32>) {
        slots.extend(self.judge.address(self.customer(), Service::Flow, address).map(|decided| decided.slot));
    }

    fn endpoint(&self, _client: &Client<'_>, address: IpAddr, port: u16, slots: &mut Vec<u32>) {
        let decided = self.judge.port(self.customer(), Service::Flow, address, port);
        slots.extend(decided.map(|decided| decided.slot));
    }

    fn reference(&self, slot: u32) -> String {
        self.judge.reference(slot)
    }

    fn may_show(&self, slot: u32) -> bool {
        self.judge.set().record(slot).is_some_and(|record| record.rights.may_display())
    }
}

impl Sink for FlowFace {
    fn hit(&self, hit: Hit) {
        // An alert is all that this countermeasure does, so whatever mode it is in, it has only watched.
        for _ in 0..hit.flows.clamp(1, FLOWS_COUNTED_MAX) {
            self.judge.hit(self.customer(), Service::Flow, hit.slot, Action::Monitored);
        }
    }
}

/// A collector with its name.
pub struct Listening {
    /// Reads.
    pub collector: Arc<Collector>,
    /// What its socket is called.
    pub name: String,
    face: Arc<FlowFace>,
}

/// Begins to write alerts as a configuration says. They are taken until the sender is dropped.
pub fn alerts(settings: &Flows, writers: &mut JoinSet<Result<(), String>>) -> mpsc::Sender<Alert> {
    let mut queues = Vec::new();
    let origin =
        Origin { hostname: "-".to_owned(), app_name: "ringfence-guard".to_owned(), facility: FACILITY };
    let file = settings.alerts_file.clone().map(Target::JsonLines);
    let syslog = settings.syslog.map(|address| Target::SyslogUdp(address, origin));
    for target in file.into_iter().chain(syslog) {
        let (sender, receiver) = mpsc::channel(ALERTS_WAITING);
        queues.push(sender);
        writers.spawn(async move {
            write(target, receiver).await;
            Ok(())
        });
    }
    let (alerts, mut handed) = mpsc::channel(ALERTS_WAITING);
    writers.spawn(async move {
        while let Some(alert) = handed.recv().await {
            let lost = hand_out(&alert, &queues);
            if lost > 0 {
                tracing::warn!(lost, "alerts are lost: nobody takes them in time");
            }
        }
        Ok(())
    });
    alerts
}

/// Opens a socket.
///
/// # Errors
///
/// Fails if it cannot be had, or is nobody's.
pub async fn open(
    address: SocketAddr,
    config: &Config,
    customers: &Customers,
    judge: &Arc<Judge>,
    alerts: mpsc::Sender<Alert>,
) -> Result<(Listening, UdpSocket), StartError> {
    let name = address.to_string();
    let customer = whose(&name, customers)?;
    let socket =
        listen(address).await.map_err(|source| StartError::Listen { address: name.clone(), source })?;
    let face = Arc::new(FlowFace { judge: Arc::clone(judge), customer: RwLock::new(customer) });
    let (exporters, shown) = choices(config);
    let collecting = Settings { exporters, shown, ..Settings::default() };
    let judge_of = Arc::clone(&face) as Arc<dyn FlowJudge>;
    let collector = Collector::new(collecting, judge_of, Arc::clone(&face) as Arc<dyn Sink>, alerts)
        .map_err(|error| StartError::File { path: name.clone(), reason: error.to_string() })?;
    Ok((Listening { collector, name, face }, socket))
}

/// Whose a listener is.
///
/// # Errors
///
/// Fails if it is nobody's.
pub fn whose(name: &str, customers: &Customers) -> Result<CustomerId, StartError> {
    customers.of_listener(name).or_else(|| customers.only()).ok_or_else(|| StartError::File {
        path: name.to_owned(),
        reason: "is nobody's listener; name it in one customer's `listeners`".to_owned(),
    })
}

impl Listening {
    /// Takes other settings from the next packet on.
    pub fn reload(&self, config: &Config, customers: &Customers) {
        if let Ok(customer) = whose(&self.name, customers) {
            *self.face.customer.write().unwrap_or_else(PoisonError::into_inner) = customer;
        }
        let (exporters, shown) = choices(config);
        self.collector.reload(exporters, shown);
    }
}

fn choices(config: &Config) -> (Option<BTreeSet<IpAddr>>, Shown) {
    let exporters = config.flows.as_ref().map_or(&[][..], |flows| &flows.exporters);
    let exporters = (!exporters.is_empty()).then(|| exporters.iter().copied().collect());
    (exporters, if config.log_victims { Shown::Ends } else { Shown::Nobody })
}
