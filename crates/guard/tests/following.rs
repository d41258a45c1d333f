//! A follower before a server that says what a test has it say: what it hears, in which order, and where it stands after that.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use guard::follow::{Cursor, Follower, Hub, News};
use guard::indicator::id_of;
use peers::eventually;
use serde_json::json;

const PATIENCE: Duration = Duration::from_mins(1);
const TAXII: &str = "application/taxii+json;version=2.1";
const FIRST: &str = "2026-01-10T12:00:00.000001Z";
const SECOND: &str = "2026-01-10T12:00:00.000003Z";
const LOST: &str = "2026-01-10T12:00:00.000002Z";

fn id(n: u8) -> String {
    format!("indicator--00000000-0000-4000-8000-{n:012}")
}

/// What the server does.
#[derive(Default)]
struct Manners {
    /// It does not say as whom it knows anybody, as any TAXII server that is no hub.
    is_plain: AtomicBool,
    /// It has no place for another stream.
    is_full: AtomicBool,
    /// It does not answer what it has.
    is_slow: AtomicBool,
    /// What its stream says.
    said: Mutex<String>,
    /// What it has.
    has: Mutex<Vec<(String, String)>>,
    manifests: AtomicU64,
    /// How often it was asked for what is blinded.
    blinded: AtomicU64,
}

struct Server {
    url: String,
    manners: Arc<Manners>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let manners = Arc::new(Manners::default());
        let (shared, root) = (Arc::clone(&manners), format!("{url}/root/"));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (manners, root) = (Arc::clone(&shared), root.clone());
                thread::spawn(move || serve(stream, &manners, &root));
            }
        });
        Self { url, manners }
    }

    /// It has one more indicator, and says so.
    fn publish(&self, n: u8, date: &str) {
        self.manners.has.lock().unwrap().push((id(n), date.to_owned()));
        let object = json!({"type": "indicator", "id": id(n)});
        self.say(&format!(
            "id: {date}\nevent: object\ndata: {{\"date_added\":\"{date}\",\"rights\":[\"display\"],\"object\":{object}}}\n\n"
        ));
    }

    fn say(&self, text: &str) {
        self.manners.said.lock().unwrap().push_str(text);
    }

    fn follow(&self, follower: impl FnOnce(Follower) -> Follower, cursor: Cursor) -> Following {
        let hub = Hub::new(&format!("{}/taxii2/", self.url), "token", None).unwrap();
        let poll = Duration::from_millis(50);
        let mut follower = follower(Follower::new(hub, "c".to_owned(), poll, cursor));
        let (sender, news) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        thread::spawn(move || follower.run(&until, &mut |news| drop(sender.send(news))));
        Following { news, stop, cursor: Cursor::default() }
    }
}

struct Following {
    news: Receiver<News>,
    stop: Arc<AtomicBool>,
    cursor: Cursor,
}

impl Following {
    /// The next thing that says something of the feed.
    fn next(&mut self) -> News {
        loop {
            let news = self.news.recv_timeout(PATIENCE).unwrap();
            match &news {
                News::Alive | News::Hub(_) | News::Allowed(_) | News::Blinded(_) => {}
                News::Objects(objects, _) if objects.is_empty() => {}
                News::Objects(_, cursor) => {
                    self.cursor = cursor.clone();
                    return news;
                }
                News::Departed | News::Present(_) | News::Gone(_) | News::Trouble(_) => return news,
            }
        }
    }

    /// The ids of the objects that come next, and whether they may be acted on.
    fn objects(&mut self) -> (Vec<String>, bool) {
        let News::Objects(objects, _) = self.next() else { panic!("no objects") };
        let id = |bytes: &[u8]| -> String {
            let object: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            object["id"].as_str().unwrap().to_owned()
        };
        let ids = objects.iter().map(|one| id(&one.object)).collect();
        (ids, objects.iter().all(|one| one.rights.may_enforce()))
    }

    fn present(&mut self) -> BTreeSet<String> {
        let News::Present(present) = self.next() else { panic!("nothing is compared") };
        present.into_iter().map(guard::indicator::id_text).collect()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn serve(mut stream: TcpStream, manners: &Manners, root: &str) {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let is_plain = manners.is_plain.load(Ordering::SeqCst);
    let (route, query) = path.split_once('?').unwrap_or((&path, ""));
    match route {
        "/api/me" if !is_plain => {
            answer(&mut stream, 200, "application/json", "{\"principal\":\"member:1\"}");
        }
        "/api/blinded" => {
            manners.blinded.fetch_add(1, Ordering::SeqCst);
            answer(&mut stream, 200, "application/json", "{\"key\":\"\",\"serial\":\"1\",\"entries\":[]}");
        }
        "/api/stream" if query.contains("poll") => {
            let said = manners.said.lock().unwrap().clone();
            answer(&mut stream, 200, "text/event-stream", &behind(&said, &last_id(&head)));
        }
        "/api/stream" if manners.is_full.load(Ordering::SeqCst) => {
            answer(&mut stream, 503, "application/json", "{}");
        }
        "/api/stream" => talk(&mut stream, manners, &last_id(&head)),
        "/taxii2/" => answer(
            &mut stream,
            200,
            TAXII,
            &json!({"title": "t", "default": root, "api_roots": [root]}).to_string(),
        ),
        "/root/" => {
            let about = json!({"title": "r", "versions": [TAXII], "max_content_length": 1_000_000});
            answer(&mut stream, 200, TAXII, &about.to_string());
        }
        "/root/collections/" => {
            let about = json!({"collections": [{"id": "c", "title": "c", "can_read": true, "can_write": false, "media_types": []}]});
            answer(&mut stream, 200, TAXII, &about.to_string());
        }
        "/root/collections/c/" => {
            let about =
                json!({"id": "c", "title": "c", "can_read": true, "can_write": false, "media_types": []});
            answer(&mut stream, 200, TAXII, &about.to_string());
        }
        "/root/collections/c/objects/" => {
            let has = manners.has.lock().unwrap().clone();
            let after =
                query.split('&').find_map(|pair| pair.strip_prefix("added_after=")).unwrap_or_default();
            let after = after.replace("%3A", ":");
            let new: Vec<_> = has.iter().filter(|(_, date)| *date > after).collect();
            let objects: Vec<_> = new.iter().map(|(id, _)| json!({"type": "indicator", "id": id})).collect();
            let dates = new.first().zip(new.last()).map_or_else(String::new, |(first, last)| {
                format!("X-TAXII-Date-Added-First: {}\r\nX-TAXII-Date-Added-Last: {}\r\n", first.1, last.1)
            });
            let body = if objects.is_empty() { json!({}) } else { json!({"objects": objects}) };
            answer_with(&mut stream, 200, TAXII, &dates, &body.to_string());
        }
        "/root/collections/c/manifest/" => {
            let has = manners.has.lock().unwrap().clone();
            let records: Vec<_> = has
                .iter()
                .map(|(id, date)| json!({"id": id, "date_added": date, "version": date, "media_type": "application/stix+json;version=2.1"}))
                .collect();
            manners.manifests.fetch_add(1, Ordering::SeqCst);
            while manners.is_slow.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(5));
            }
            answer(&mut stream, 200, TAXII, &json!({"objects": records}).to_string());
        }
        _ => answer(&mut stream, 404, "application/json", "{}"),
    }
}

/// The events behind a date.
fn behind(said: &str, after: &str) -> String {
    let is_behind = |event: &&str| {
        let date = event.lines().find_map(|line| line.strip_prefix("id: "));
        !event.is_empty() && date.is_none_or(|date| date > after)
    };
    said.split("\n\n").filter(is_behind).flat_map(|event| [event, "\n\n"]).collect()
}

fn last_id(head: &str) -> String {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("last-event-id:"));
    line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

fn answer(stream: &mut TcpStream, status: u16, kind: &str, body: &str) {
    answer_with(stream, status, kind, "", body);
}

fn answer_with(stream: &mut TcpStream, status: u16, kind: &str, more: &str, body: &str) {
    // Who asked may be gone.
    let _gone = write!(
        stream,
        "HTTP/1.1 {status} Told\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{more}Connection: close\r\n\r\n{body}",
        body.len()
    );
}

/// Says all that there is to be said, as it comes, until nobody listens.
fn talk(stream: &mut TcpStream, manners: &Manners, after: &str) {
    let mut told = 0;
    if write!(
        stream,
        "HTTP/1.1 200 Told\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n: open\n\n"
    )
    .is_err()
    {
        return;
    }
    while !manners.is_full.load(Ordering::SeqCst) && !manners.is_plain.load(Ordering::SeqCst) {
        let new = manners.said.lock().unwrap()[told..].to_owned();
        told += new.len();
        if write!(stream, "{}", behind(&new, after)).and_then(|()| stream.flush()).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_stream_goes_on_while_it_is_asked_what_there_is() {
    let server = Server::start();
    server.manners.is_slow.store(true, Ordering::SeqCst);
    server.publish(1, FIRST);
    let mut follower = server.follow(|follower| follower, Cursor::default());
    assert_eq!(follower.objects(), (vec![id(1)], false));
    server.say(&format!("event: resync\ndata: {{\"at\":\"{LOST}\"}}\n\n"));
    assert_eq!(follower.next(), News::Departed);
    eventually("the manifest is asked for", || server.manners.manifests.load(Ordering::SeqCst) == 1);
    // What the manifest says was settled before this came.
    server.publish(2, SECOND);
    assert_eq!(follower.objects().0, [id(2)], "nothing waits for the manifest");
    server.manners.is_slow.store(false, Ordering::SeqCst);
    assert_eq!(follower.present(), BTreeSet::from([id(1), id(2)]));
    // It is told of the same departure again, as after each reconnection, and of another one.
    server.say(&format!("event: resync\ndata: {{\"at\":\"{LOST}\"}}\n\n"));
    server.say(&format!("event: resync\ndata: {{\"at\":\"{SECOND}\"}}\n\n"));
    assert_eq!(follower.next(), News::Departed);
    assert_eq!(follower.present(), BTreeSet::from([id(1), id(2)]));
    assert_eq!(server.manners.manifests.load(Ordering::SeqCst), 2);
}

#[test]
fn what_is_owed_is_asked_for_at_the_start() {
    let server = Server::start();
    server.publish(1, FIRST);
    let mut follower = server.follow(|follower| follower.owing(true), Cursor::default());
    assert_eq!(follower.next(), News::Departed);
    let (mut objects, mut present) = (0, None);
    while objects == 0 || present.is_none() {
        let news = follower.next();
        if let News::Objects(some, _) = news {
            objects += some.len();
        } else if let News::Present(ids) = news {
            present = Some(ids);
        } else {
            panic!("{news:?}");
        }
    }
    assert_eq!((objects, present), (1, Some(BTreeSet::from([id_of(&id(1)).unwrap()]))));
}

#[test]
fn what_is_blinded_is_asked_for_again_when_it_was_let_go_of() {
    let server = Server::start();
    let let_go = Arc::new(AtomicU64::new(0));
    let _follower = server.follow(|follower| follower.counting(Arc::clone(&let_go)), Cursor::default());
    let asked = || server.manners.blinded.load(Ordering::SeqCst);
    eventually("it is asked for", || asked() == 1);
    let_go.fetch_add(1, Ordering::SeqCst);
    eventually("it is asked for again", || asked() == 2);
}

#[test]
fn by_stream_by_poll_and_by_taxii_it_is_one_cursor_and_nothing_is_lost_or_comes_twice() {
    let server = Server::start();
    server.publish(1, FIRST);
    let mut follower = server.follow(|follower| follower, Cursor::default());
    assert_eq!(follower.objects(), (vec![id(1)], false));
    // No place for a stream: the rights come all the same.
    server.manners.is_full.store(true, Ordering::SeqCst);
    server.publish(2, SECOND);
    assert_eq!(follower.objects(), (vec![id(2)], false));
    assert_eq!(follower.cursor.reached(), Some(SECOND));
    // Any TAXII server: it goes on where it stood, and asks now and then what there is at all.
    let has = vec![(id(2), SECOND.to_owned()), (id(3), "2026-01-10T12:00:00.000005Z".to_owned())];
    *server.manners.has.lock().unwrap() = has;
    server.manners.is_plain.store(true, Ordering::SeqCst);
    assert_eq!(follower.objects(), (vec![id(3)], true));
    assert_eq!(follower.present(), BTreeSet::from([id(2), id(3)]));
    assert_eq!(follower.cursor.reached(), Some("2026-01-10T12:00:00.000005Z"));
    // And back.
    server.manners.is_plain.store(false, Ordering::SeqCst);
    server.publish(4, "2026-01-10T12:00:00.000007Z");
    assert_eq!(follower.objects().0, [id(4)]);
    assert_eq!(follower.cursor.reached(), Some("2026-01-10T12:00:00.000007Z"));
}
