//! A running guard reads its configuration again when it is told to by SIGHUP: what changed is in force, and no question goes unanswered
//! meanwhile.

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use peers::{Client, TRUE, eventually, world};

use crate::common::Hub;
use crate::site::{Guard, SINKHOLE, indicator, provider, publish};

const LISTED: &str = "evil-reload.example.com";
const OTHER: &str = "bad-reload.example.net";
const FREE: &str = "good-reload.example.org";
/// Slower than any answer, on any machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn config(hub: &str, world: SocketAddr, mode: &str, allow: &str) -> String {
    format!(
        r#"
data = "guard"
[hub]
url = "{hub}/taxii2/"
token_file = "token"
[[feed]]
collection = "indicators"
mode = "{mode}"
[allow]
{allow}
[sinkhole]
addresses = {{ "" = ["{SINKHOLE}"] }}
[sinkhole.forwarder]
plain = ["<forward>"]
upstreams = ["{world}"]
queries_per_second = 0
[status]
listen = "<status>"
"#
    )
}

/// How often each kind of answer came.
#[derive(Default)]
struct Answers {
    blocked: AtomicU64,
    true_ones: AtomicU64,
    neither: AtomicU64,
    wrong: AtomicU64,
}

impl Answers {
    fn all(&self) -> u64 {
        let all = [&self.blocked, &self.true_ones, &self.neither, &self.wrong];
        all.map(|count| count.load(Ordering::Relaxed)).iter().sum()
    }

    /// Asks without a pause until `stop`: about what is listed, and about what never is.
    fn gather(&self, server: SocketAddr, stop: &AtomicBool) {
        let client = Client::new(PATIENCE);
        while !stop.load(Ordering::Relaxed) {
            let count = match client.ask(server, LISTED) {
                Some(address) if address == SINKHOLE => &self.blocked,
                Some(address) if address == TRUE => &self.true_ones,
                Some(_) | None => &self.neither,
            };
            count.fetch_add(1, Ordering::Relaxed);
            if client.ask(server, FREE) != Some(TRUE) {
                self.wrong.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[test]
fn sighup_puts_modes_and_allow_lists_in_force_and_no_question_goes_unanswered() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::start(dir.path());
    let north = provider(&hub, "North");
    let listed = [(1, LISTED), (2, OTHER)];
    let listed = listed.map(|(number, name)| indicator(number, &format!("[domain-name:value = '{name}']")));
    publish(&hub, &hub.token, dir.path(), &listed);
    let world = world();
    let config = |mode, allow| config(&hub.url, world, mode, allow);
    let guard = Guard::started(&dir.path().join("north"), &north.token, &config("enforce", ""));
    eventually("the indicators are taken", || guard.active() == 2);
    let server = SocketAddr::from(([127, 0, 0, 1], guard.port("forward")));
    let client = Client::new(PATIENCE);
    let ask = |name| client.ask(server, name);
    let (answers, stop) = (Answers::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        // However this ends, the thread does, too.
        let _stop = Stop(&stop);
        scope.spawn(|| answers.gather(server, &stop));
        assert_eq!(ask(LISTED), Some(SINKHOLE));

        guard.reload(&config("monitor", ""));
        assert_eq!(ask(LISTED), Some(TRUE), "it only watches");
        guard.reload(&config("enforce", ""));
        assert_eq!(ask(LISTED), Some(SINKHOLE));

        fs::write(guard.dir.join("allow.txt"), format!("{LISTED}\n")).unwrap();
        guard.reload(&config("enforce", "files = [\"allow.txt\"]"));
        assert_eq!((ask(LISTED), ask(OTHER)), (Some(TRUE), Some(SINKHOLE)), "the site allows one of them");
        // The configuration is the same, and the file that it names is not.
        fs::write(guard.dir.join("allow.txt"), format!("{OTHER}\n")).unwrap();
        guard.reload(&config("enforce", "files = [\"allow.txt\"]"));
        assert_eq!((ask(LISTED), ask(OTHER)), (Some(SINKHOLE), Some(TRUE)), "and now the other");

        // What has a fault changes nothing.
        guard.reload(&config("enfroce", ""));
        assert_eq!((ask(LISTED), ask(OTHER)), (Some(SINKHOLE), Some(TRUE)));
        let read = guard.status()["configuration"].clone();
        assert_eq!((&read["taken"], &read["refused"]), (&4.into(), &1.into()), "{read}");
        assert!(read["faults"].to_string().contains("enfroce"), "{read}");

        let so_far = answers.all();
        eventually("more was asked after that", || answers.all() > so_far + 20);
    });
    let [blocked, true_ones, neither, wrong] =
        [&answers.blocked, &answers.true_ones, &answers.neither, &answers.wrong]
            .map(|count| count.load(Ordering::Relaxed));
    assert_eq!((neither, wrong), (0, 0), "beside {blocked} that were blocked and {true_ones} that were not");
    assert!(blocked > 0 && true_ones > 0, "{blocked} {true_ones}");
}

/// Ends a thread also when the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
