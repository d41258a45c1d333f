//! What the guard has loaded, from whom, until when, and what it did: for people, for programs, and for Prometheus.
//!
//! | path | what |
//! |---|---|
//! | `/` | the page for people |
//! | `/status.json` | the same for programs |
//! | `/healthz` | 200 while the lease is held and every feed is followed, else 503 and why |
//! | `/metrics` | counters |
//! | `/export/…` | exports that are to be served, with their `ETag` |
//!
//! Nothing here names a client, or what it asked for. Indicators are named by their opaque references.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use super::works::Did;
use crate::config::Mode;
use crate::engine::{Engine, HitCount};
use crate::lease::Standing;
use crate::record::{Bound, reference};
use crate::reload::Reloads;
use crate::run::Guard;
use crate::set::FeedReport;

/// How many of the indicators that were hit most are shown.
const MOST: usize = 20;

/// A guard at a glance.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Whether all is well.
    pub is_healthy: bool,
    /// What is not.
    pub troubles: Vec<String>,
    /// The lease: `held`, `ending` or `over`.
    pub lease: &'static str,
    /// For how many seconds it is held; `null`: without end.
    pub lease_seconds_left: Option<u64>,
    /// The hub that is followed.
    pub hub: String,
    /// What the programme calls itself there.
    pub programme: Option<String>,
    /// What became of configurations that were read since the start.
    pub configuration: Reloads,
    /// Feed by feed.
    pub feeds: Vec<FeedStatus>,
    /// How many values are allowed.
    pub allowed: usize,
    /// How many of them by the programme.
    pub allowed_by_programme: usize,
    /// Warning lists of types that are not read.
    pub warning_lists_passed_over: Vec<String>,
    /// Zones that are served.
    pub zones: Vec<ZoneLine>,
    /// Zones handed out whole, changes handed out, requests refused.
    pub transfers: [u64; 3],
    /// The indicators that were hit most, by their opaque references.
    pub most_hit: Vec<(String, HitCount)>,
    /// Indicators that stood out, by their opaque references.
    pub alarms: Vec<String>,
    /// Facts of occurrence that wait to be reported.
    pub facts_waiting: usize,
    /// Objects that could not be read.
    pub unreadable: u64,
    /// Hits that were not counted because too many came at once.
    pub hits_lost: u64,
    /// What each face did, and what it did not and why.
    #[serde(flatten)]
    pub did: Did,
}

/// A feed at a glance.
#[derive(Clone, Debug, Serialize)]
pub struct FeedStatus {
    /// What is loaded.
    #[serde(flatten)]
    pub report: FeedReport,
    /// The collection that it follows.
    pub collection: String,
    /// Its mode by configuration.
    pub mode: &'static str,
    /// When the hub was last heard about it.
    pub heard: Option<String>,
    /// The date of the last object.
    pub reached: Option<String>,
    /// What is wrong.
    pub trouble: Option<String>,
    /// Hits by countermeasure.
    pub hits: Vec<(String, HitCount)>,
}

/// A zone at a glance.
#[derive(Clone, Debug, Serialize)]
pub struct ZoneLine {
    /// Its name.
    pub zone: String,
    /// Its serial.
    pub serial: u32,
    /// Entries that secondaries get.
    pub entries: u64,
    /// What of the feed cannot stand in it, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
}

/// Every metric, without its prefix: its type, and what it says.
pub const METRICS: [(&str, &str, &str); 18] = [
    ("healthy", "gauge", "1 while nothing is wrong."),
    ("lease_held", "gauge", "1 while the guard may act."),
    ("lease_seconds_left", "gauge", "How long the guard may act without hearing from the hub."),
    ("feed_followed", "gauge", "1 while a feed is followed."),
    ("indicators", "gauge", "Indicators by feed and phase."),
    ("refused_total", "counter", "Indicators that were not taken, by feed and reason."),
    ("hits_total", "counter", "Hits by feed, countermeasure and what was done."),
    ("zone_entries", "gauge", "Entries of a policy zone."),
    ("zone_serial", "gauge", "Serial of a policy zone."),
    (
        "zone_requests_total",
        "counter",
        "Zones handed out whole (axfr), changes (ixfr), and requests refused.",
    ),
    ("done_total", "counter", "What the forwarder, the landing page, mail and flows did."),
    ("shortfalls_total", "counter", "What faces passed over, shed or refused, by reason."),
    ("configurations_total", "counter", "Configurations that were taken and refused at a reload."),
    ("alarms", "gauge", "Indicators that match far more than their peers."),
    ("facts_waiting", "gauge", "Facts of occurrence that wait to be reported."),
    ("unreadable_total", "counter", "Objects that could not be read."),
    ("hits_lost_total", "counter", "Hits that were not counted because too many came at once."),
    ("build_info", "gauge", "1, with the version of the program."),
];

impl Status {
    /// How the guard stands now.
    #[must_use]
    pub fn of(guard: &Guard) -> Self {
        let salt = guard.secrets().reference_salt();
        let report = guard.judge().set().report(|_| true);
        let config = guard.config();
        let mut engine = guard.engine();
        let facts_waiting = engine.facts().waiting().0;
        let lease = engine.lease();
        let troubles = troubles(&engine);
        let mut feeds = Vec::new();
        for ((index, report), state) in (0_u16..).zip(report.feeds).zip(engine.feeds()) {
            let settings = config.feeds.get(usize::from(index));
            let hits = engine.counts().by_feed().iter().filter(|((feed, _), _)| *feed == index);
            feeds.push(FeedStatus {
                collection: settings.map(|feed| feed.collection.clone()).unwrap_or_default(),
                mode: mode_word(settings.map(|feed| feed.mode)),
                heard: state.heard.map(|heard| heard.to_string()),
                reached: state.cursor.reached().map(str::to_owned),
                trouble: state.trouble.clone(),
                hits: hits.map(|((_, service), count)| ((*service).to_owned(), *count)).collect(),
                report,
            });
        }
        let most = engine.counts().most(MOST);
        let (unreadable, alarms) = engine.oddities();
        let alarms = alarms.iter().map(|id| reference(&salt, *id)).collect();
        let allowed_by_programme = engine.allowed_by_programme().len();
        let programme =
            engine.me().and_then(|me| me.programme.as_ref()).map(|programme| programme.name.clone());
        drop(engine);
        let zones = guard.zones().publisher().zones();
        let counts = guard.zones().publisher().counts();
        let did = guard.works().did(&zones, &guard.judge().set().rules().shortfalls());
        Self {
            is_healthy: troubles.is_empty(),
            troubles,
            lease: lease_word(lease),
            lease_seconds_left: seconds_left(lease),
            hub: config.hub.url.clone(),
            programme,
            configuration: guard.reloads(),
            transfers: [counts.axfr, counts.ixfr, counts.refused],
            feeds,
            allowed: report.allowed,
            allowed_by_programme,
            warning_lists_passed_over: report.passed_over,
            zones: zones
                .into_iter()
                .map(|zone| ZoneLine {
                    zone: zone.apex.to_string(),
                    serial: zone.serial,
                    entries: zone.entries,
                    rejected: zone.rejected.iter().map(|(why, count)| (why.as_str(), *count)).collect(),
                })
                .collect(),
            most_hit: most.into_iter().map(|(id, count)| (reference(&salt, id), count)).collect(),
            alarms,
            facts_waiting,
            unreadable,
            hits_lost: guard.judge().lost(),
            did,
        }
    }

    /// For Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        let mut series: BTreeMap<&str, Vec<(String, u64)>> = BTreeMap::new();
        let mut add = |name: &'static str, labels: String, value: u64| {
            debug_assert!(METRICS.iter().any(|(known, ..)| *known == name), "{name} is not described");
            series.entry(name).or_default().push((labels, value));
        };
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        add("healthy", String::new(), u64::from(self.is_healthy));
        add("lease_held", String::new(), u64::from(self.lease != "over"));
        if let Some(left) = self.lease_seconds_left {
            add("lease_seconds_left", String::new(), left);
        }
        for feed in &self.feeds {
            let name = &feed.report.feed;
            add("feed_followed", format!("{{feed=\"{name}\"}}"), u64::from(feed.trouble.is_none()));
            let phases = [
                ("active", feed.report.active),
                ("waiting", feed.report.waiting),
                ("ended", feed.report.ended),
            ];
            for (phase, count) in phases {
                add("indicators", format!("{{feed=\"{name}\",phase=\"{phase}\"}}"), count);
            }
            for (reason, count) in &feed.report.refused {
                add("refused_total", format!("{{feed=\"{name}\",reason=\"{reason}\"}}"), *count);
            }
            for (service, hits) in &feed.hits {
                for (action, count) in [("enforced", hits.enforced), ("monitored", hits.monitored)] {
                    let labels =
                        format!("{{feed=\"{name}\",countermeasure=\"{service}\",action=\"{action}\"}}");
                    add("hits_total", labels, count);
                }
            }
        }
        for zone in &self.zones {
            add("zone_entries", format!("{{zone=\"{}\"}}", zone.zone), zone.entries);
            add("zone_serial", format!("{{zone=\"{}\"}}", zone.zone), u64::from(zone.serial));
        }
        for (kind, count) in ["axfr", "ixfr", "refused"].iter().zip(self.transfers) {
            add("zone_requests_total", format!("{{kind=\"{kind}\"}}"), count);
        }
        for (name, label, lines) in
            [("done_total", "what", &self.did.done), ("shortfalls_total", "reason", &self.did.shortfalls)]
        {
            for line in lines {
                let labels = format!("{{face=\"{}\",{label}=\"{}\"}}", line.face, label_value(&line.what));
                add(name, labels, line.count);
            }
        }
        add("configurations_total", "{result=\"taken\"}".to_owned(), self.configuration.taken);
        add("configurations_total", "{result=\"refused\"}".to_owned(), self.configuration.refused);
        add("alarms", String::new(), count(self.alarms.len()));
        add("facts_waiting", String::new(), count(self.facts_waiting));
        add("unreadable_total", String::new(), self.unreadable);
        add("hits_lost_total", String::new(), self.hits_lost);
        add("build_info", format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1);
        let mut text = String::new();
        for (name, kind, help) in METRICS {
            let Some(lines) = series.get(name) else { continue };
            let _infallible =
                writeln!(text, "# HELP ringfence_guard_{name} {help}\n# TYPE ringfence_guard_{name} {kind}");
            for (labels, value) in lines {
                let _infallible = writeln!(text, "ringfence_guard_{name}{labels} {value}");
            }
        }
        text
    }

    /// For people.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = String::from(HEAD);
        let word = if self.is_healthy { "All is well" } else { "Something is wrong" };
        let _infallible = write!(page, "<h1>{word}</h1>");
        for trouble in &self.troubles {
            let _infallible = write!(page, "<p class=\"trouble\">{}</p>", escaped(trouble));
        }
        let left = self
            .lease_seconds_left
            .map_or("without end".to_owned(), |left| format!("{} min left", left / 60));
        let _infallible = write!(
            page,
            "<p>From {} ({}). Lease: {} ({left}). Allowed values: {}, {} of them by the programme.</p>",
            escaped(&self.hub),
            escaped(self.programme.as_deref().unwrap_or("it has not said who it is")),
            self.lease,
            self.allowed,
            self.allowed_by_programme,
        );
        self.configuration_lines(&mut page);
        self.feeds_table(&mut page);
        self.reasons(&mut page);
        self.zones_table(&mut page);
        self.works_table(&mut page);
        self.hits_table(&mut page);
        page.push_str("</body></html>");
        page
    }

    fn configuration_lines(&self, page: &mut String) {
        let configuration = &self.configuration;
        if let Some(at) = &configuration.at {
            let _infallible = write!(page, "<p>Configuration of {}.", escaped(at));
            if !configuration.needs_restart.is_empty() {
                let needs = escaped(&configuration.needs_restart.join(", "));
                let _infallible = write!(page, " Needs a restart: {needs}.");
            }
            page.push_str("</p>");
        }
        for fault in &configuration.faults {
            let _infallible = write!(
                page,
                "<p class=\"trouble\">The new configuration is not in force: {}</p>",
                escaped(fault)
            );
        }
    }

    fn feeds_table(&self, page: &mut String) {
        page.push_str(
            "<h2>Feeds</h2><table><tr><th>feed<th>mode<th>active<th>waiting<th>ended<th>not taken<th>enforced<th>would have hit<th>ends from<th>to<th>without end<th>heard<th>reached",
        );
        for feed in &self.feeds {
            let refused: u64 = feed.report.refused.values().sum();
            let enforced: u64 = feed.hits.iter().map(|(_, hits)| hits.enforced).sum();
            let monitored: u64 = feed.hits.iter().map(|(_, hits)| hits.monitored).sum();
            let _infallible = write!(
                page,
                "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{refused}<td>{enforced}<td>{monitored}<td>{}<td>{}<td>{}<td>{}<td>{}",
                escaped(&feed.report.feed),
                feed.mode,
                feed.report.active,
                feed.report.waiting,
                feed.report.ended,
                feed.report.ends_first.map(|at| at.to_string()).unwrap_or_default(),
                feed.report.ends_last.map(|at| at.to_string()).unwrap_or_default(),
                feed.report.endless,
                escaped(feed.heard.as_deref().unwrap_or("never")),
                escaped(feed.reached.as_deref().unwrap_or("the beginning")),
            );
        }
        page.push_str("</table>");
    }

    fn reasons(&self, page: &mut String) {
        page.push_str("<h2>Not taken, and only monitored</h2><table><tr><th>feed<th>reason<th>indicators");
        for feed in &self.feeds {
            let refused = feed.report.refused.iter().map(|(reason, count)| (reason.as_str(), *count));
            let monitored = feed.report.monitored.iter().map(|(reason, count)| (*reason, *count));
            let blinded = (feed.report.blinded > 0)
                .then_some(("blinded: met, and in no zone and no file", feed.report.blinded));
            for (reason, count) in refused.chain(monitored).chain(blinded) {
                let name = escaped(&feed.report.feed);
                let _infallible = write!(page, "<tr><td>{name}<td>{}<td>{count}", escaped(reason));
            }
        }
        page.push_str("</table>");
    }

    fn zones_table(&self, page: &mut String) {
        if self.zones.is_empty() {
            return;
        }
        page.push_str("<h2>Policy zones</h2><table><tr><th>zone<th>serial<th>entries<th>left out");
        for zone in &self.zones {
            let left_out = zone.rejected.iter().map(|(why, count)| format!("{why} {count}"));
            let left_out = left_out.collect::<Vec<_>>().join(", ");
            let (name, serial, entries) = (escaped(&zone.zone), zone.serial, zone.entries);
            let _infallible = write!(page, "<tr><td>{name}<td>{serial}<td>{entries}<td>{left_out}");
        }
        page.push_str("</table>");
    }

    /// What never happened is not shown.
    fn works_table(&self, page: &mut String) {
        for (title, what, lines) in
            [("Done", "what", &self.did.done), ("Not done, and why", "reason", &self.did.shortfalls)]
        {
            let _infallible = write!(page, "<h2>{title}</h2><table><tr><th>face<th>{what}<th>times");
            for line in lines.iter().filter(|line| line.count > 0) {
                let (face, what, count) = (line.face, escaped(&line.what), line.count);
                let _infallible = write!(page, "<tr><td>{face}<td>{what}<td>{count}");
            }
            page.push_str("</table>");
        }
    }

    fn hits_table(&self, page: &mut String) {
        page.push_str("<h2>Hit most</h2><table><tr><th>indicator<th>enforced<th>would have hit<th>");
        for (name, hits) in &self.most_hit {
            let alarm = if self.alarms.contains(name) { Bound::Frequency.words() } else { "" };
            let _infallible =
                write!(page, "<tr><td>{name}<td>{}<td>{}<td>{alarm}", hits.enforced, hits.monitored);
        }
        page.push_str("</table>");
    }
}

const HEAD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Ringfence guard</title>\
<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color-scheme:light dark}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #8884}\
.trouble{border-left:4px solid #c00;padding-left:.8rem}</style></head><body>";

/// The page, the numbers and the health of a guard.
pub fn router(guard: Arc<Guard>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/status.json", get(json))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .route("/export/{*name}", get(export))
        .with_state(guard)
}

async fn status(guard: Arc<Guard>) -> Option<Status> {
    // Walks the records, and waits for the engine.
    tokio::task::spawn_blocking(move || Status::of(&guard)).await.ok()
}

async fn page(State(guard): State<Arc<Guard>>) -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    match status(guard).await {
        Some(status) => (
            [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, policy)],
            status.page(),
        )
            .into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn json(State(guard): State<Arc<Guard>>) -> Response {
    let text = status(guard).await.and_then(|status| serde_json::to_string_pretty(&status).ok());
    match text {
        Some(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn health(State(guard): State<Arc<Guard>>) -> Response {
    // Nothing is counted for this: it is asked every few seconds.
    match tokio::task::spawn_blocking(move || troubles(&guard.engine())).await {
        Ok(troubles) if troubles.is_empty() => "ok\n".into_response(),
        Ok(troubles) => (StatusCode::SERVICE_UNAVAILABLE, troubles.join("\n")).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn metrics(State(guard): State<Arc<Guard>>) -> Response {
    match status(guard).await {
        Some(status) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], status.metrics()).into_response()
        }
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn export(State(guard): State<Arc<Guard>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let shelf = guard.shelf().read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(served) = shelf.get(&name).cloned() else { return StatusCode::NOT_FOUND.into_response() };
    drop(shelf);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known =
        known.is_some_and(|known| known == "*" || known.split(',').any(|one| one.trim() == served.etag));
    if is_known {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, served.etag)]).into_response();
    }
    let head = [(header::ETAG, served.etag), (header::CONTENT_TYPE, "application/octet-stream".to_owned())];
    (head, axum::body::Bytes::from_owner(served.bytes)).into_response()
}

/// What is wrong.
fn troubles(engine: &Engine) -> Vec<String> {
    let mut troubles = Vec::new();
    if !engine.lease().is_held() {
        troubles.push("the lease is over: nothing is enforced until the hub is heard".to_owned());
    }
    for (index, state) in (0_u16..).zip(engine.feeds()) {
        if let Some(trouble) = &state.trouble {
            troubles.push(format!("{}: {trouble}", engine.alias(index)));
        }
    }
    troubles
}

fn mode_word(mode: Option<Mode>) -> &'static str {
    match mode {
        Some(Mode::Enforce) => "enforce",
        Some(Mode::Monitor) | None => "monitor",
    }
}

fn lease_word(lease: Standing) -> &'static str {
    match lease {
        Standing::Held(_) => "held",
        Standing::Ending(_) => "ending",
        Standing::Over => "over",
    }
}

fn seconds_left(lease: Standing) -> Option<u64> {
    match lease {
        Standing::Held(_) | Standing::Ending(_) => lease.left().map(|left| left.as_secs()),
        Standing::Over => Some(0),
    }
}

/// As the text format of Prometheus has it.
fn label_value(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::faces::works::Line;

    #[test]
    fn the_page_escapes_what_strangers_wrote() {
        let status = Status {
            is_healthy: false,
            troubles: vec!["<script>x</script>".to_owned()],
            lease: "held",
            lease_seconds_left: None,
            hub: "https://hub.example/?<b>".to_owned(),
            programme: Some("<img src=x onerror=alert(1)>".to_owned()),
            configuration: Reloads {
                at: Some("2026-01-15".to_owned()),
                faults: vec!["guard.toml:3: `<i>` is no network".to_owned()],
                ..Reloads::default()
            },
            feeds: Vec::new(),
            allowed: 3,
            allowed_by_programme: 1,
            transfers: [1, 2, 0],
            warning_lists_passed_over: Vec::new(),
            zones: vec![ZoneLine {
                zone: "a.rpz".to_owned(),
                serial: 7,
                entries: 2,
                rejected: BTreeMap::from([("subsumed", 3)]),
            }],
            most_hit: Vec::new(),
            alarms: Vec::new(),
            facts_waiting: 0,
            unreadable: 0,
            hits_lost: 0,
            did: Did {
                done: vec![Line { face: "landing", what: "<u>\"x\\".to_owned(), count: 9 }],
                shortfalls: vec![Line { face: "mail", what: "too_deep".to_owned(), count: 8 }],
            },
        };
        let page = status.page();
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
        assert!(!["<b>", "<img", "<i>", "<u>"].iter().any(|tag| page.contains(tag)), "{page}");
        assert!(page.contains("not in force: guard.toml:3"), "{page}");
        let metrics = status.metrics();
        assert!(metrics.contains("ringfence_guard_zone_entries{zone=\"a.rpz\"} 2\n"), "{metrics}");
        assert!(
            metrics.contains("ringfence_guard_done_total{face=\"landing\",what=\"<u>\\\"x\\\\\"} 9\n"),
            "{metrics}"
        );
        assert!(
            metrics.contains("ringfence_guard_shortfalls_total{face=\"mail\",reason=\"too_deep\"} 8\n"),
            "{metrics}"
        );
        for shown in ["<td>subsumed 3", "<td>mail<td>too_deep<td>8", "<td>landing<td>&lt;u&gt;"] {
            assert!(page.contains(shown), "{shown} is not in {page}");
        }
        let described = metrics.lines().filter(|line| line.starts_with("# TYPE ")).count();
        let named: BTreeSet<_> = metrics
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split(['{', ' ']).next())
            .collect();
        assert_eq!(described, named.len(), "each metric is described once: {metrics}");
    }
}
