//! Flows, as exporters tell of them.

use std::net::IpAddr;
use std::sync::Arc;

use flows::{
    Client, Collector, Flow, Hit, Judge as FlowJudge, Origin, Settings, Shown, Sink, Target, hand_out,
    listen, write,
};
use model::Clock;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::config::{Config, Service};
use crate::customers::CustomerId;
use crate::judge::Judge;
use crate::occurrence::Action;
use crate::run::StartError;
use crate::sight::{Sight, instant};

/// How many alerts may wait for each place where they are written.
const ALERTS_WAITING: usize = 10_000;
/// Of one hit that stands for many flows so many are counted one by one.
const FLOWS_COUNTED_MAX: u64 = 1_000;
/// Security messages (RFC 5424 §6.2.1).
const FACILITY: u8 = 4;

/// An exporter's view of the judge.
struct FlowFace {
    judge: Arc<Judge>,
    customer: CustomerId,
    clock: Arc<dyn Clock>,
}

impl FlowJudge for FlowFace {
    fn address(&self, _client: &Client<'_>, address: IpAddr, slots: &mut Vec<u32>) {
        slots.extend(self.judge.address(self.customer, Service::Flow, address).map(|decided| decided.slot));
    }

    fn endpoint(&self, _client: &Client<'_>, address: IpAddr, port: u16, slots: &mut Vec<u32>) {
        let decided = self.judge.port(self.customer, Service::Flow, address, port);
        slots.extend(decided.map(|decided| decided.slot));
    }

    fn flow(&self, _client: &Client<'_>, flow: &Flow, slots: &mut Vec<u32>) {
        if !self.judge.wants_flow([flow.source, flow.destination]) {
            return;
        }
        let ends = ((flow.source, flow.source_port), (flow.destination, flow.destination_port));
        let sight = Sight::flow(ends.0, ends.1, flow.protocol, Some(instant(self.clock.now())));
        self.judge.met(self.customer, Service::Flow, sight, |decided| slots.push(decided.slot));
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
            self.judge.hit(self.customer, Service::Flow, hit.slot, Action::Monitored);
        }
    }
}

/// A socket with its collector and its name.
pub struct Opened {
    /// Reads.
    pub collector: Arc<Collector>,
    /// From here.
    pub socket: UdpSocket,
    /// What it is called.
    pub name: String,
}

/// Opens the sockets of a configuration, and begins to write alerts.
///
/// # Errors
///
/// Fails if a socket cannot be opened.
pub async fn open(
    config: &Config,
    judge: &Arc<Judge>,
    writers: &mut JoinSet<Result<(), String>>,
) -> Result<Vec<Opened>, StartError> {
    let Some(settings) = &config.flows else { return Ok(Vec::new()) };
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
    let mut opened = Vec::new();
    for address in &settings.listen {
        let name = address.to_string();
        let socket =
            listen(*address).await.map_err(|source| StartError::Listen { address: name.clone(), source })?;
        let Some(customer) = judge.customers().of_listener(&name).or_else(|| judge.customers().only()) else {
            return Err(StartError::File {
                path: name,
                reason: "is nobody's listener; name it in one customer's `listeners`".to_owned(),
            });
        };
        let face = Arc::new(FlowFace { judge: Arc::clone(judge), customer, clock: judge.clock() });
        let exporters = &settings.exporters;
        let collecting = Settings {
            exporters: (!exporters.is_empty()).then(|| exporters.iter().copied().collect()),
            shown: if config.log_victims { Shown::Ends } else { Shown::Nobody },
            ..Settings::default()
        };
        let judge_of = Arc::clone(&face) as Arc<dyn FlowJudge>;
        let collector = Collector::new(collecting, judge_of, face, alerts.clone())
            .map_err(|error| StartError::File { path: name.clone(), reason: error.to_string() })?;
        opened.push(Opened { collector, socket, name });
    }
    Ok(opened)
}

/// Reads flows until told to stop.
pub async fn serve(opened: Opened, clock: Arc<dyn Clock>, stop: tokio::sync::watch::Receiver<bool>) {
    let Opened { collector, socket, name } = opened;
    collector.serve(socket, &name, clock, stop).await;
}
