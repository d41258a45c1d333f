//! Counts and durations for Prometheus. They name routes and statuses, never a member, a collection or an object.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use exchange::WebhookView;
use hyper::StatusCode;

/// The statuses that are counted one by one; all others are counted together.
const STATUSES: [u16; 18] =
    [200, 201, 202, 304, 400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 422, 429, 500, 503];
/// The upper bounds of the histogram, in microseconds.
const BOUNDS_MICROS: [u64; 12] =
    [100, 250, 1_000, 2_500, 10_000, 25_000, 100_000, 250_000, 1_000_000, 2_500_000, 10_000_000, 60_000_000];

#[derive(Default)]
struct Route {
    statuses: [AtomicU64; STATUSES.len() + 1],
    buckets: [AtomicU64; BOUNDS_MICROS.len() + 1],
    micros: AtomicU64,
}

/// All counters of a hub.
pub(crate) struct Metrics {
    routes: Vec<Route>,
    /// The routes' paths, in the same order.
    names: Vec<&'static str>,
    published: AtomicU64,
    served: AtomicU64,
}

/// What is not counted here but known elsewhere, at the moment of asking.
pub(crate) struct Gauges {
    pub(crate) epoch: u64,
    pub(crate) ledger_size: u64,
    /// Whether the store answers.
    pub(crate) is_ready: bool,
    /// Objects held, and bytes of bodies; unknown while the store does not answer.
    pub(crate) held: Option<(u64, u64)>,
    /// By how many seconds the last instant that was handed out is ahead of the clock.
    pub(crate) clock_behind_seconds: u64,
    /// When the ledger was last held to its head, in seconds since 1970, and whether it was sound.
    pub(crate) ledger_check: Option<(u64, bool)>,
    pub(crate) policies_asked: u64,
    pub(crate) streams: usize,
    pub(crate) quota_refusals: u64,
    pub(crate) webhooks: Vec<WebhookView>,
}

impl Metrics {
    /// Counters for the endpoints with these paths, and one more for what is at no endpoint.
    pub(crate) fn new(paths: impl IntoIterator<Item = &'static str>) -> Self {
        let names: Vec<_> = paths.into_iter().chain(["none"]).collect();
        let routes = names.iter().map(|_| Route::default()).collect();
        Self { routes, names, published: AtomicU64::new(0), served: AtomicU64::new(0) }
    }

    pub(crate) fn count_request(&self, endpoint: usize, status: StatusCode, took: Duration) {
        let Some(route) = self.routes.get(endpoint) else { return };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let status = STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(STATUSES.len());
        let bucket = BOUNDS_MICROS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS_MICROS.len());
        route.statuses[status].fetch_add(1, Ordering::Relaxed);
        route.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        route.micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(crate) fn count_published(&self, objects: usize) {
        self.published.fetch_add(u64::try_from(objects).unwrap_or(0), Ordering::Relaxed);
    }

    pub(crate) fn count_served(&self, objects: usize) {
        self.served.fetch_add(u64::try_from(objects).unwrap_or(0), Ordering::Relaxed);
    }

    /// The text format of Prometheus, version 0.0.4.
    pub(crate) fn render(&self, gauges: &Gauges) -> String {
        let mut text = String::new();
        header(&mut text, "ringfence_http_requests_total", "counter", "Requests by route and status.");
        for (route, name) in self.named() {
            let words = STATUSES.iter().map(ToString::to_string).chain(["other".to_owned()]);
            for (status, count) in words.zip(&route.statuses) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    line(
                        &mut text,
                        "ringfence_http_requests_total",
                        &[("route", name), ("status", &status)],
                        &count,
                    );
                }
            }
        }
        header(
            &mut text,
            "ringfence_http_request_duration_seconds",
            "histogram",
            "Time to the answer's first byte.",
        );
        for (route, name) in self.named() {
            durations(&mut text, route, name);
        }
        let totals = [
            (
                "ringfence_objects_published_total",
                "counter",
                "Objects stored.",
                self.published.load(Ordering::Relaxed),
            ),
            (
                "ringfence_objects_served_total",
                "counter",
                "Objects handed out.",
                self.served.load(Ordering::Relaxed),
            ),
            (
                "ringfence_quota_refusals_total",
                "counter",
                "Requests of members that had used up their quotas.",
                gauges.quota_refusals,
            ),
            (
                "ringfence_policy_questions_total",
                "counter",
                "How often the policies were asked whether somebody may read something.",
                gauges.policies_asked,
            ),
            ("ringfence_epoch", "gauge", "The current epoch.", gauges.epoch),
            ("ringfence_ledger_entries", "gauge", "Entries in the ledger.", gauges.ledger_size),
            ("ringfence_streams", "gauge", "Open event streams.", u64::try_from(gauges.streams).unwrap_or(0)),
            ("ringfence_ready", "gauge", "1 while the store answers.", u64::from(gauges.is_ready)),
            (
                "ringfence_clock_behind_seconds",
                "gauge",
                "By how much the clock is behind the last instant that was handed out.",
                gauges.clock_behind_seconds,
            ),
        ];
        for (name, kind, help, value) in totals {
            header(&mut text, name, kind, help);
            line(&mut text, name, &[], &value);
        }
        known_elsewhere(&mut text, gauges);
        webhooks(&mut text, &gauges.webhooks);
        text
    }

    /// The routes that anyone asked for.
    fn named(&self) -> impl Iterator<Item = (&Route, &'static str)> {
        self.routes
            .iter()
            .zip(self.names.iter().copied())
            .filter(|(route, _)| route.statuses.iter().any(|c| c.load(Ordering::Relaxed) > 0))
    }
}

/// What is left out as long as nobody knows it.
fn known_elsewhere(text: &mut String, gauges: &Gauges) {
    let held = gauges.held.unzip();
    let check = gauges.ledger_check.map(|(at, sound)| (at, u64::from(sound))).unzip();
    let metrics = [
        ("ringfence_objects", "Objects held.", held.0),
        ("ringfence_body_bytes", "Bytes of bodies held.", held.1),
        ("ringfence_ledger_check_timestamp_seconds", "When the ledger was last held to its head.", check.0),
        (
            "ringfence_ledger_sound",
            "1 if the ledger was as its head says when it was last held to it.",
            check.1,
        ),
    ];
    for (name, help, value) in metrics {
        let Some(value) = value else { continue };
        header(text, name, "gauge", help);
        line(text, name, &[], &value);
    }
    header(text, "ringfence_build_info", "gauge", "1, with the version of the program.");
    line(text, "ringfence_build_info", &[("version", env!("CARGO_PKG_VERSION"))], &1);
}

fn webhooks(text: &mut String, hooks: &[WebhookView]) {
    type Value = fn(&WebhookView) -> u64;
    let metrics: [(&str, &str, &str, Value); 3] = [
        ("ringfence_webhook_delivered_total", "counter", "Alerts given to a webhook.", |hook| hook.delivered),
        ("ringfence_webhook_failures", "gauge", "Attempts failed since the last success.", |hook| {
            hook.failures.into()
        }),
        ("ringfence_webhook_behind", "gauge", "Alerts that came after the webhook's place.", |hook| {
            hook.behind
        }),
    ];
    for (name, kind, help, value) in metrics.into_iter().filter(|_| !hooks.is_empty()) {
        header(text, name, kind, help);
        for hook in hooks {
            line(text, name, &[("webhook", &hook.name)], &value(hook));
        }
    }
}

fn durations(text: &mut String, route: &Route, name: &str) {
    const METRIC: &str = "ringfence_http_request_duration_seconds";
    let mut count = 0;
    for (bound, bucket) in BOUNDS_MICROS.iter().zip(&route.buckets) {
        count += bucket.load(Ordering::Relaxed);
        let bound = seconds(*bound);
        line(text, &format!("{METRIC}_bucket"), &[("route", name), ("le", &bound)], &count);
    }
    count += route.buckets[BOUNDS_MICROS.len()].load(Ordering::Relaxed);
    line(text, &format!("{METRIC}_bucket"), &[("route", name), ("le", "+Inf")], &count);
    line(text, &format!("{METRIC}_sum"), &[("route", name)], &seconds(route.micros.load(Ordering::Relaxed)));
    line(text, &format!("{METRIC}_count"), &[("route", name)], &count);
}

fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn header(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}"); // writing to a string cannot fail
}

fn line(text: &mut String, name: &str, labels: &[(&str, &str)], value: &dyn std::fmt::Display) {
    let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let _ = writeln!(text, "{name}{labels} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_status_and_duration() {
        let metrics = Metrics::new(["/a", "/b"]);
        metrics.count_request(0, StatusCode::OK, Duration::from_micros(100));
        metrics.count_request(0, StatusCode::OK, Duration::from_micros(101));
        metrics.count_request(2, StatusCode::IM_A_TEAPOT, Duration::from_mins(2));
        metrics.count_published(3);
        let gauges = Gauges {
            epoch: 7,
            ledger_size: 9,
            is_ready: true,
            held: None,
            clock_behind_seconds: 0,
            ledger_check: Some((60, false)),
            policies_asked: 0,
            streams: 0,
            quota_refusals: 4,
            webhooks: Vec::new(),
        };
        let text = metrics.render(&gauges);
        assert!(!text.contains("ringfence_objects "), "what nobody knows is left out");
        let wanted = [
            "ringfence_http_requests_total{route=\"/a\",status=\"200\"} 2",
            "ringfence_http_requests_total{route=\"none\",status=\"other\"} 1",
            "ringfence_http_request_duration_seconds_bucket{route=\"/a\",le=\"0.000100\"} 1",
            "ringfence_http_request_duration_seconds_bucket{route=\"/a\",le=\"0.000250\"} 2",
            "ringfence_http_request_duration_seconds_bucket{route=\"none\",le=\"60.000000\"} 0",
            "ringfence_http_request_duration_seconds_bucket{route=\"none\",le=\"+Inf\"} 1",
            "ringfence_http_request_duration_seconds_sum{route=\"/a\"} 0.000201",
            "ringfence_objects_published_total 3",
            "ringfence_epoch 7",
            "ringfence_quota_refusals_total 4",
            "ringfence_ledger_entries 9",
            "ringfence_ready 1",
            "ringfence_ledger_check_timestamp_seconds 60",
            "ringfence_ledger_sound 0",
        ];
        for line in wanted {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("/b"), "a route that nobody asked is left out");
    }
}
