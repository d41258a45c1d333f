//! Webhooks against receivers on loopback: order, signatures, every way to fail, restarts.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver as Arrivals, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use exchange::WebhookView;
use hub::{HubOptions, WebhookKeys, Webhooks};
use model::{Role, Standing};
use serde_json::Value;
use store::MemoryStore;
use testkit::{World, tier};

use crate::Face;

const KEY: [u8; 32] = [5; 32];
/// How long anything is waited for that should come at once.
const SOON: Duration = Duration::from_mins(1);

/// A request as it came.
#[derive(Debug)]
struct Came {
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Came {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }
}

/// A receiver: answers as it was told to, one answer for each request, and then with 204. An empty answer hangs up.
struct Target {
    address: SocketAddr,
    answers: Arc<Mutex<VecDeque<String>>>,
    came: Arrivals<Came>,
}

impl Target {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let (sender, came) = channel();
        let to_give = Arc::clone(&answers);
        // It ends with the test's process; nothing is lost by that.
        thread::spawn(move || take(&listener, &to_give, &sender));
        Self { address, answers, came }
    }

    fn answer(&self, answer: &str) {
        self.answers.lock().unwrap().push_back(answer.to_owned());
    }

    fn next(&self) -> Came {
        self.came.recv_timeout(SOON).expect("an alert comes")
    }

    fn is_quiet(&self) -> bool {
        self.came.recv_timeout(Duration::from_millis(700)).is_err()
    }
}

fn take(listener: &TcpListener, answers: &Mutex<VecDeque<String>>, came: &Sender<Came>) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut headers = BTreeMap::new();
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            let (name, value) = line.trim_end().split_once(' ').unwrap();
            headers.insert(name.trim_end_matches(':').to_lowercase(), value.to_owned());
            line.clear();
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            continue;
        }
        let answer = answers.lock().unwrap().pop_front();
        let answer = answer.unwrap_or_else(|| "HTTP/1.1 204 No Content\r\n".to_owned());
        if !answer.is_empty() {
            let _ = write!(stream, "{answer}Connection: close\r\nContent-Length: 0\r\n\r\n");
        }
        let _ = stream.shutdown(Shutdown::Both);
        if came.send(Came { headers, body }).is_err() {
            return;
        }
    }
}

fn files(hooks: &[(&str, SocketAddr, &str)]) -> BTreeMap<String, Vec<u8>> {
    let mut files = testkit::one_person_programme();
    let text = files.get_mut("programme.toml").unwrap();
    for (name, address, kinds) in hooks {
        let hook =
            format!("\n[[webhook]]\nname = \"{name}\"\nurl = \"http://{address}/hook?t=1\"\n{kinds}\n");
        text.extend_from_slice(hook.as_bytes());
    }
    files
}

fn world(hooks: &[(&str, SocketAddr, &str)]) -> World {
    World::over(Arc::new(MemoryStore::new()), &files(hooks), 1)
}

fn start(world: &World) -> Webhooks {
    let programme = world.exchange.programme();
    let keys = programme.settings().webhooks.iter().map(|hook| {
        let keys = WebhookKeys::parse(&WebhookKeys::text_of(&KEY)).unwrap();
        (hook.name.clone(), keys)
    });
    let webhooks = Webhooks::start(&world.exchange, keys.collect()).unwrap();
    // Each has its place before anything happens that it is to be told of.
    let names: Vec<_> = programme.settings().webhooks.iter().map(|hook| hook.name.clone()).collect();
    for (name, url) in names.iter().zip(programme.settings().webhooks.iter().map(|hook| &hook.url)) {
        world.exchange.begin_hook(name, url).unwrap();
    }
    webhooks
}

/// Lets alerts come: one for each step.
fn steps(world: &World, member: &model::MemberId, count: usize) {
    for n in 0..count {
        let now = world.exchange.member(&world.operator, member).unwrap().standing(&tier("open"));
        let to = if now == Standing::Listed { Standing::Suspended } else { Standing::Listed };
        world
            .exchange
            .set_standing(&world.operator, member, &tier("open"), to, &format!("step {n}"))
            .unwrap();
    }
}

fn state(world: &World) -> WebhookView {
    world.exchange.webhooks(&world.operator).unwrap().remove(0)
}

/// Waits until the first webhook's state is as it should be.
fn until(world: &World, is_so: impl Fn(&WebhookView) -> bool) -> WebhookView {
    for _ in 0..1_200 {
        let state = state(world);
        if is_so(&state) {
            return state;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("it stays {:?}", state(world));
}

fn keys_of(world: &World) -> Vec<String> {
    let alerts = world.exchange.alerts(&world.operator, "").unwrap();
    alerts.into_iter().map(|alert| alert.key).collect()
}

#[test]
fn alerts_are_delivered_in_order_signed_and_as_officers_read_them() {
    let target = Target::start();
    let world = world(&[("soc", target.address, "")]);
    let (member, _) = world.member("Alpha", &["open"]);
    let webhooks = start(&world);
    steps(&world, &member.id, 5);
    let came: Vec<Came> = (0..5).map(|_| target.next()).collect();
    let alerts = world.exchange.alerts(&world.operator, "").unwrap();
    let keys = WebhookKeys::parse(&WebhookKeys::text_of(&KEY)).unwrap();
    for (came, alert) in came.iter().zip(&alerts) {
        let body = came.json();
        assert_eq!(body["data"], serde_json::to_value(alert).unwrap());
        assert_eq!(
            (body["type"].as_str(), body["timestamp"].as_str()),
            (Some("decision"), Some(alert.at.to_string().as_str()))
        );
        assert_eq!(body.as_object().unwrap().len(), 3, "nothing beside it: {body}");
        let timestamp: i64 = came.headers["webhook-timestamp"].parse().unwrap();
        assert!(keys.verify(came.id(), timestamp, &came.body, &came.headers["webhook-signature"]));
        assert!(!keys.verify(came.id(), timestamp + 1, &came.body, &came.headers["webhook-signature"]));
        assert_eq!(came.headers["content-type"], "application/json");
    }
    let ids: std::collections::BTreeSet<_> = came.iter().map(Came::id).collect();
    assert_eq!(ids.len(), 5);
    let state = until(&world, |state| state.delivered == 5);
    assert_eq!((state.state, state.behind, state.failures), ("waiting", 0, 0));
    assert_eq!(state.url, format!("http://{}/hook", target.address), "what may be a secret is not shown");
    webhooks.stop();
}

#[test]
fn a_failure_is_tried_again_later_each_time_and_holds_the_order() {
    let target = Target::start();
    let world = world(&[("soc", target.address, "")]);
    let (member, _) = world.member("Alpha", &["open"]);
    // Whoever is sent elsewhere does not go there.
    let elsewhere = Target::start();
    let redirect = format!("HTTP/1.1 307 Elsewhere\r\nLocation: http://{}/\r\n", elsewhere.address);
    let failures = [
        ("HTTP/1.1 500 Oh\r\n".to_owned(), "500", 1),
        (redirect, "redirects are not followed", 2),
        (String::new(), "", 4),
        ("HTTP/1.1 503 Later\r\nRetry-After: 100\r\n".to_owned(), "503", 100),
        ("nonsense\r\n".to_owned(), "", 16),
    ];
    for (answer, _, _) in &failures {
        target.answer(answer);
    }
    let webhooks = start(&world);
    steps(&world, &member.id, 2);
    let mut first = None;
    for (n, (_, told, seconds)) in (1..).zip(&failures) {
        let came = target.next();
        assert_eq!(
            *first.get_or_insert_with(|| came.id().to_owned()),
            came.id(),
            "the same alert, the same id"
        );
        let state = until(&world, |state| state.failures == n);
        assert_eq!((state.state, state.behind, state.delivered), ("failing", 2, 0));
        let error = state.last_error.unwrap();
        assert!(error.contains(told) && !error.contains("hook"), "{error}");
        let wait = state.next_try.unwrap().since(state.failed_at.unwrap());
        assert_eq!(wait, Duration::from_secs(*seconds));
        // Not a moment sooner. The clock went on a little if the first attempt came between the two steps.
        let left = state.next_try.unwrap().since(world.exchange.now());
        world.pass(left.saturating_sub(Duration::from_micros(1)));
        if n == 1 {
            assert!(target.is_quiet());
        }
        world.pass(Duration::from_micros(1));
    }
    let (one, two) = (target.next(), target.next());
    assert_eq!(Some(one.id().to_owned()), first);
    assert_eq!(
        [one, two].map(|came| came.json()["data"]["key"].as_str().unwrap().to_owned())[..],
        keys_of(&world)
    );
    let state = until(&world, |state| state.delivered == 2);
    assert_eq!((state.failures, state.next_try, state.last_error), (0, None, None));
    assert!(elsewhere.is_quiet());
    webhooks.stop();
}

#[test]
fn the_place_and_the_next_try_outlive_the_hub() {
    let target = Target::start();
    let hooks = [("soc", target.address, "")];
    let mut world = world(&hooks);
    let (member, _) = world.member("Alpha", &["open"]);
    steps(&world, &member.id, 3);
    let webhooks = start(&world);
    assert!(target.is_quiet(), "a webhook that is new is not told what was");
    steps(&world, &member.id, 2);
    let first = [target.next(), target.next()];
    until(&world, |state| state.delivered == 2);
    target.answer("HTTP/1.1 500 Oh\r\n");
    steps(&world, &member.id, 1);
    target.next();
    let failing = until(&world, |state| state.failures == 1);
    webhooks.stop();
    steps(&world, &member.id, 1);
    world.reopen(&files(&hooks), 2);
    assert_eq!(WebhookView { behind: 2, ..failing.clone() }, state(&world));
    let webhooks = start(&world);
    assert!(target.is_quiet(), "the next try is not due yet");
    world.pass(Duration::from_secs(1));
    let second = [target.next(), target.next()];
    let came =
        first.iter().chain(&second).map(|came| came.json()["data"]["key"].as_str().unwrap().to_owned());
    assert_eq!(came.collect::<Vec<_>>(), keys_of(&world)[3..]);
    until(&world, |state| state.delivered == 4);
    webhooks.stop();
    // Another address has not failed.
    let moved = Target::start();
    let hooks = [("soc", moved.address, "")];
    world.reopen(&files(&hooks), 3);
    let webhooks = start(&world);
    steps(&world, &member.id, 1);
    assert_eq!(moved.next().json()["data"]["key"].as_str(), keys_of(&world).last().map(String::as_str));
    assert!(target.is_quiet());
    webhooks.stop();
}

#[test]
fn a_slow_webhook_holds_up_no_other_and_each_gets_its_kinds() {
    let (dead, target) = (TcpListener::bind("127.0.0.1:0").unwrap(), Target::start());
    // It accepts, in the kernel, and never answers.
    let slow = dead.local_addr().unwrap();
    let world =
        world(&[("slow", slow, ""), ("soc", target.address, "kinds = [\"party-of-concern\", \"decision\"]")]);
    let (member, caller) = world.member("Alpha", &["open"]);
    let webhooks = start(&world);
    world.exchange.appeal(&caller, &tier("open"), "an alert of another kind").unwrap();
    steps(&world, &member.id, 1);
    let came = target.next().json();
    assert_eq!(came["type"], "decision", "{came}");
    assert!(target.is_quiet());
    let state = until(&world, |state| state.failures == 1);
    assert!(state.last_error.as_ref().is_some_and(|error| error.contains("10 s")), "{state:?}");
    let views = world.exchange.webhooks(&world.operator).unwrap();
    assert_eq!((views[1].state, views[1].behind, views[1].delivered), ("waiting", 0, 1), "{views:?}");
    webhooks.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_and_officers_see_what_is_wrong_and_metrics_count_it() {
    // Bound, and nobody listens: the port is nobody else's meanwhile.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let world = world(&[("soc", nobody.local_addr().unwrap(), "")]);
    let face = Face::over(world, HubOptions::new([7; 32]));
    let (member, login) = face.member("Alpha", &["open"]);
    let webhooks = start(&face.world);
    steps(&face.world, &member.id, 3);
    let failing = until(&face.world, |state| state.failures > 0);
    for role in [Role::Operator, Role::Officer] {
        let told = face.get(&face.role(role), "/api/webhooks").await.expect(200).json();
        assert_eq!(told[0]["name"], "soc");
        assert_eq!((told[0]["state"].as_str(), told[0]["behind"].as_u64()), (Some("failing"), Some(3)));
        assert_eq!(told[0]["last_error"].as_str(), failing.last_error.as_deref());
        assert_eq!(told[0]["next_try"].as_str(), failing.next_try.map(|at| at.to_string()).as_deref());
    }
    for login in [&face.role(Role::Reviewer), &face.role(Role::Overseer), &login] {
        face.get(login, "/api/webhooks").await.expect(403);
    }
    let metrics = face.get(&face.operator, "/metrics").await.expect(200);
    let metrics = String::from_utf8(metrics.body.clone()).unwrap();
    for line in [
        "ringfence_webhook_delivered_total{webhook=\"soc\"} 0",
        "ringfence_webhook_failures{webhook=\"soc\"} 1",
        "ringfence_webhook_behind{webhook=\"soc\"} 3",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    webhooks.stop();
}
